"""`omixvae options`: every option of a run, what it may be, and what it means."""

import json
import shutil

import click

from omixvae.cli.frame import Command
from omixvae.cli.options import as_json
from omixvae.config import OPTIONS, Config
from omixvae.errors import InputError, nearest, raise_together

__all__ = ["options"]


@click.command(cls=Command, examples=["omixvae options", "omixvae options n_latent likelihoods"])
@click.argument("names", metavar="[NAME]...", nargs=-1)
@as_json
def options(names: tuple[str, ...], *, as_json: bool) -> None:
    """Explain the options that train, inspect and select take, and that --config reads."""
    asked = [name.removeprefix("--").replace("-", "_") for name in names] or list(OPTIONS)
    raise_together(
        [
            InputError(f"There is no option {name!r}.", "the names", nearest(name, OPTIONS))
            for name in asked
            if name not in OPTIONS
        ]
    )
    explained = [OPTIONS[name] for name in asked]
    if as_json:
        defaults = Config().to_options()
        keys = ("name", "group", "help")
        rows = [
            {key: getattr(o, key) for key in keys} | {"default": defaults[o.name], "allowed": o.allowed.describe()}
            for o in explained
        ]
        click.echo(json.dumps(rows))
        return
    heading, width = None, min(110, shutil.get_terminal_size().columns)
    for o in explained:
        if o.group != heading:
            heading = o.group
            click.secho(f"\n{heading.capitalize()}", bold=True)
        allowed = o.allowed.describe()
        default = f" Default: {o.default_text}." if o.default_text else ""
        click.secho(f"  {o.flag}", fg="cyan")
        text = f"{o.help} {allowed[0].upper()}{allowed[1:]}.{default}"
        click.echo(click.wrap_text(text, width, "      ", "      "))
