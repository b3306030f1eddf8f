"""`cxone-streams schemas`: what is on the topics, and whether it may be released."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from connectors.kafka.schema_registry import RegistrySchemaIds

app = typer.Typer(no_args_is_help=True)

Online = Annotated[bool, typer.Option("--registry", help="Ask the registry at SCHEMA_REGISTRY_URL, too.")]


@app.callback()
def schemas() -> None:
    """List the released schemas, check that each can read what the ones before wrote, and register them.

    Without --registry nothing is asked of anybody. Exit status: 0 all is well; 1 something is incompatible, missing, or
    the registry does not answer; 2 a setting is wrong, or the registry refuses.
    """


@app.command(name="list")
def list_() -> None:
    """Show each subject with its releases: id, file, and the name of the record."""
    from schemas.releases import releases

    for subject, listed in releases().items():
        for release in listed:
            typer.echo(f"{subject}  {release.id}  {release.file}  {release.schema['name']}")


@app.command()
def check(*, online: Online = False) -> None:
    """Tell what is wrong: an edited release, or a schema that cannot read what an earlier one of its subject wrote."""
    from schemas.compatibility import why_unreadable
    from schemas.releases import releases
    from streams.cli.ending import ended
    from streams.programs.lifecycle import Ended, Exit

    wrong = []
    with ended():
        for subject, listed in releases().items():
            wrong += [f"{subject}: {each.file} was edited after its release" for each in listed if not each.unchanged]
            newest = listed[-1]
            for earlier in listed[:-1]:
                if why := why_unreadable(earlier.schema, newest.schema):
                    wrong.append(f"{subject}: {newest.file} cannot read what {earlier.file} wrote: {why}")
        if online:
            registry = _registry()
            wrong += [
                f"{subject}: the registry holds {listed[-1].file} incompatible with what it has"
                for subject, listed in releases().items()
                if not registry.registered(subject, listed[-1].schema)
                and not registry.compatible(subject, listed[-1].schema)
            ]
        if wrong:
            raise Ended(Exit.FAILED, "\n".join(wrong))
    typer.echo(f"{len(releases())} subjects: every newest schema reads what the earlier ones wrote.")


@app.command()
def register() -> None:
    """Put every release, oldest first, into the registry at SCHEMA_REGISTRY_URL, unless it is there."""
    from schemas.releases import releases
    from streams.cli.ending import ended

    with ended():
        registry = _registry()
        for subject, listed in releases().items():
            for release in listed:
                typer.echo(f"{subject}  {release.file}  {registry.id_for(subject, release.schema)}")


def _registry() -> "RegistrySchemaIds":
    from connectors.kafka.schema_registry import registry
    from connectors.settings import RegistrySettings, load

    return registry(load(RegistrySettings))
