"""`omixvae options`: every option of a run, what it may be, and what it means."""

import json
import shutil

import click

from omixvae.cli.frame import Command
from omixvae.cli.options import HEADINGS, as_json
from omixvae.config import Config
from omixvae.errors import InputError, nearest, raise_together

__all__ = ["options"]


@click.command(cls=Command, examples=["omixvae options", "omixvae options n_latent likelihoods"])
@click.argument("names", metavar="[NAME]...", nargs=-1)
@as_json
def options(names: tuple[str, ...], *, as_json: bool) -> None:
    """Explain the options that train, inspect and select take, and that --config reads."""
    fields = {f.name: (group, f) for group, f in Config.fields()}
    asked = [name.removeprefix("--").replace("-", "_") for name in names] or list(fields)
    raise_together(
        [
            InputError(f"There is no option {name!r}.", "the names", nearest(name, fields))
            for name in asked
            if name not in fields
        ]
    )
    defaults = Config().to_options()
    rows = [
        {
            "name": name,
            "group": fields[name][0],
            "default": defaults[name],
            "allowed": fields[name][1].metadata["allowed"].describe(),
            "help": fields[name][1].metadata["help"],
        }
        for name in asked
    ]
    if as_json:
        click.echo(json.dumps(rows))
        return
    heading, width = None, min(110, shutil.get_terminal_size().columns)
    for row in rows:
        if row["group"] != heading:
            heading = row["group"]
            click.secho(f"\n{HEADINGS[heading]}", bold=True)
        default = "" if row["default"] in (None, [], {}) else f" Default: {json.dumps(row['default']).strip(chr(34))}."
        text = f"{row['help']} {row['allowed'][0].upper()}{row['allowed'][1:]}.{default}"
        click.secho(f"  --{row['name'].replace('_', '-')}", fg="cyan")
        click.echo(click.wrap_text(text, width, "      ", "      "))
