"""`python -m streams` is the `cxone-streams` command."""

from streams.cli import main

if __name__ == "__main__":
    main()
