"""The command line: parse, call the API, print. One file per command in `commands/`, and per screen in `screens/`.

Nothing heavy is imported at the top of these files: `omixvae --help` must answer at once.
"""

from importlib import import_module

import click

from omixvae import __version__
from omixvae.cli.frame import Cli

__all__ = ["main"]

NAMES = {
    "Begin": ("inspect", "train"),
    "Look at the results": ("report", "export"),
    "Use a trained model": ("annotate", "impute", "evaluate"),
    "Choose the options": ("options", "select"),
    "Data": ("convert", "data", "simulate"),
    "Shell": ("completion",),
}
"""Heading of the help to the commands below it: each is the function of its own name, in the file of its own name."""

SECTIONS: dict[str, list[click.Command]] = {
    heading: [getattr(import_module(f"omixvae.cli.commands.{name}"), name) for name in names]
    for heading, names in NAMES.items()
}


@click.group(
    cls=Cli,
    sections=NAMES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(__version__, prog_name="omixvae")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug: bool) -> None:  # noqa: FBT001 (click passes options by position or name)
    """Integrate several omics of the same samples, missing modalities included.

    Begin with: omixvae inspect cohort.h5mu
    """


for commands in SECTIONS.values():
    for command in commands:
        main.add_command(command)
