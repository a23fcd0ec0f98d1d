"""`omixvae data`: the public data sets."""

import json

import click

from omixvae.cli.frame import Command, Section, friendly_warnings
from omixvae.cli.options import as_json, quietly
from omixvae.errors import InputError

__all__ = ["data"]


@click.group(cls=Section, context_settings={"help_option_names": ["-h", "--help"]})
def data() -> None:
    """Fetch public multi-omics data sets by name.

    They are kept in the user's cache, or in the folder that OMIXVAE_DATA_DIR names.
    """


@data.command("list", cls=Command, examples=["omixvae data list", "omixvae data list --json"])
@as_json
def list_sets(*, as_json: bool) -> None:
    """Show which data sets there are, and which are here already."""
    from omixvae import datasets  # here, as all below, so that --help needs no pandas

    table = datasets.list()
    if as_json:
        click.echo(json.dumps(table.to_dict("records")))
        return
    for row in table.to_dict("records"):
        here = "here" if row["cached"] else ""
        click.echo(f"{row['name']:<24} {row['observations']:>7,}  {here:<5} {row['description']}")


@data.command(cls=Command, examples=["omixvae data fetch tcga_acc_mini", "omixvae data fetch --all"])
@click.argument("names", metavar="NAME...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Fetch all of them.")
@quietly
def fetch(names: tuple[str, ...], *, everything: bool, quiet: bool) -> None:
    """Download data sets, check them, and make MuData files of them, unless they are here."""
    if bool(names) == everything:
        raise InputError("No data set is named.", "the arguments", "Give names, or --all alone.")
    from omixvae import datasets

    for name in datasets.list()["name"] if everything else names:
        with friendly_warnings():
            path = datasets.fetch(name, progress=not quiet)
        if not quiet:
            click.echo(str(path))


@data.command(cls=Command, examples=['omixvae inspect "$(omixvae data path tcga_acc_mini)"'])
@click.argument("name")
def path(name: str) -> None:
    """Print where a data set lies, or would lie once it is fetched."""
    from omixvae import datasets

    click.echo(str(datasets.path(name)))
