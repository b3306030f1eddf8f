"""Workers as of a release to come, whose percentiles writes the next version of state. Usage: as `cxone-streams`.

What is stored of ours is migrated. (Both look alike here: what counts is which of them a worker may read.)
"""

from dataclasses import replace

from streams.stages.percentiles import declaration

(windows,) = declaration.DECLARATION.tables
declaration.DECLARATION = replace(
    declaration.DECLARATION, tables=(replace(windows, version=windows.version + 1, migrations={windows.version: dict}),)
)

from streams.cli import main  # noqa: E402 - what it imports takes the declaration from there

if __name__ == "__main__":
    main()
