"""Peers get environments of their own, made when they are first needed."""

import subprocess
import sys
from pathlib import Path

import click

__all__ = ["ROOT", "environments_option", "python_of"]

ROOT = Path(__file__).parents[1]
REQUIREMENTS = Path(__file__).parent / "peers" / "requirements"

environments_option = click.option(
    "--environments",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="OMIXVAE_PEERS",
    default=ROOT / ".cache" / "peers",
    help="Folder for the peers' environments [default: the variable OMIXVAE_PEERS, or .cache/peers].",
)


def python_of(name: str | None, folder: Path) -> str:
    """Give the Python of an environment, which is made if it is not there; our own where no name is given."""
    if name is None:
        return sys.executable
    python = folder / name / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder / name], check=True)
        needs = REQUIREMENTS / f"{name}.txt"
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", needs], check=True)
    return str(python)
