"""The command line: parse, call the API, print. One file per command in `commands/`, and per screen in `screens/`.

Nothing heavy is imported at the top of these files: `omixvae --help` must answer at once.
"""

import click

from omixvae import __version__
from omixvae.cli.commands.annotate import annotate
from omixvae.cli.commands.completion import completion
from omixvae.cli.commands.convert import convert
from omixvae.cli.commands.data import data
from omixvae.cli.commands.evaluate import evaluate
from omixvae.cli.commands.export import export
from omixvae.cli.commands.impute import impute
from omixvae.cli.commands.inspect import inspect
from omixvae.cli.commands.options import options
from omixvae.cli.commands.report import report
from omixvae.cli.commands.select import select
from omixvae.cli.commands.simulate import simulate
from omixvae.cli.commands.train import train
from omixvae.cli.frame import Cli

__all__ = ["main"]

SECTIONS = {
    "Begin": (inspect, train),
    "Look at the results": (report, export),
    "Use a trained model": (annotate, impute, evaluate),
    "Choose the options": (options, select),
    "Data": (convert, data, simulate),
    "Shell": (completion,),
}


@click.group(
    cls=Cli,
    sections={heading: [command.name for command in commands] for heading, commands in SECTIONS.items()},
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
