"""`omixvae completion`: let the shell complete commands, options and their words."""

import click
from click.shell_completion import get_completion_class

from omixvae.cli.frame import Command

__all__ = ["completion"]

SHELLS = ("bash", "zsh", "fish")


@click.command(
    cls=Command,
    examples=[
        'eval "$(omixvae completion bash)"    # in ~/.bashrc',
        'eval "$(omixvae completion zsh)"     # in ~/.zshrc',
        "omixvae completion fish > ~/.config/fish/completions/omixvae.fish",
    ],
)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the lines that let a shell complete commands, options and their words."""
    context = click.get_current_context().find_root()
    script = get_completion_class(shell)
    assert script is not None  # for the three shells that are offered
    click.echo(script(context.command, {}, "omixvae", "_OMIXVAE_COMPLETE").source())
