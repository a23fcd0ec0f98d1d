"""The frame of all commands: their help in sections, what goes wrong as one message, and exit codes."""

import io
import json
import shlex
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any

import click

from omixvae.errors import InputError, likely, nearest
from omixvae.processes import LostProcessError, OneProcess, Processes, join_processes

__all__ = ["Cli", "Command", "Interrupted", "Option", "Section", "answer", "friendly_warnings", "on_rank_zero"]

SIGNAL_EXIT_BASE = 128
"""The exit code after a signal is this plus the signal's number, as in shells: 130 after Ctrl-C."""

CANNOT_REPLACE = ("strict", "surrogateescape")
"""Python's own ways with a character that a stream cannot encode, which end in a traceback."""


class Interrupted(KeyboardInterrupt):
    """A signal has stopped a command that can be continued.

    Parameters
    ----------
    number
        Of the signal.
    message
        What the user should know: how to go on.
    """

    def __init__(self, number: int, message: str) -> None:
        super().__init__(number)
        self.message = message

    def __str__(self) -> str:
        """Return the message."""
        return self.message


class Option(click.Option):
    """An option that the help lists under a heading."""

    def __init__(self, *args: Any, section: str = "Options", **attributes: Any) -> None:  # noqa: ANN401 (click's own)
        super().__init__(*args, **attributes)
        self.section = section


class Command(click.Command):
    """A command whose help ends with examples that can be copied.

    Parameters
    ----------
    examples
        Whole command lines.
    further
        A sentence under the options, where not all of them are shown.
    """

    def __init__(self, *args: Any, examples: Sequence[str] = (), further: str = "", **attributes: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **attributes)
        self.examples, self.further = tuple(examples), further

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line; an unknown option may be that of another tool."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            known = [word for p in self.get_params(ctx) for word in (*p.opts, *p.secondary_opts) if word[:2] == "--"]
            meant = likely(error.option_name, known)
            hint = f"Did you mean {meant!r}?" if meant else f"`{ctx.command_path} --help` lists those that there are."
            raise click.UsageError(f"No such option {error.option_name!r}. {hint}", ctx) from None

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under their headings."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if isinstance(parameter, click.Option) and record is not None:
                heading = parameter.section if isinstance(parameter, Option) else "Options"
                sections.setdefault(heading, []).append(record)
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records, col_max=32)
        if self.further:
            formatter.write_paragraph()
            formatter.write_text(self.further)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, each on a line of its own, however long."""
        with formatter.section("Examples"):
            for example in self.examples:
                formatter.write(f"{' ' * formatter.current_indent}{example}\n")


class Section(click.Group):
    """Several commands under one word, with the frame of all others."""

    command_class = Command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown one may be that of another tool, or was forgotten before a file."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-") and not ctx.resilient_parsing:
            hint = nearest(name, self.commands)
            if Path(name).exists():
                hint = f"Begin with: {ctx.find_root().command_path} inspect {shlex.quote(name)}"
            raise click.UsageError(f"There is no command {name!r}. {hint}", ctx)
        return super().resolve_command(ctx, args)


class Cli(Section):
    """All commands; turns what goes wrong into one clear message and an exit code.

    The code is 2 for the user's input, 1 for our bugs.

    Parameters
    ----------
    sections
        Heading to the names of the commands that the help lists under it.
    """

    def __init__(self, *args: Any, sections: Mapping[str, Sequence[str]], **attributes: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **attributes)
        self.sections = sections

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands under their headings, in the order in which they are used."""
        longest = max(map(len, self.commands))
        for heading, names in self.sections.items():
            with formatter.section(heading):
                # All names in columns of one width, so that the sections stand under one another.
                rows = [(name.ljust(longest), self.commands[name].get_short_help_str(90)) for name in names]
                formatter.write_dl(rows)

    def main(self, *args: Any, **settings: Any) -> Any:  # noqa: ANN401 (click's own signature)
        """Run the command line, whatever characters its terminal can show."""
        for stream in (sys.stdout, sys.stderr):
            # A pipe on Windows, or under LC_ALL=C, cannot encode the Greek in a feature's name: show "?" instead.
            if isinstance(stream, io.TextIOWrapper) and stream.errors in CANNOT_REPLACE:
                stream.reconfigure(errors="replace")
        return super().main(*args, **settings)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 (click's own signature)
        """Run a command."""
        processes: Processes = OneProcess()
        try:
            with _sigterm_like_ctrl_c():
                processes = join_processes()
                return super().invoke(ctx)
        except click.UsageError as error:
            _end(processes, error.show)
            ctx.exit(error.exit_code)
        except (InputError, LostProcessError) as error:
            if ctx.params["debug"]:
                raise
            message = f"Error: {error}"
            _end(processes, lambda: click.echo(message, err=True))
            ctx.exit(2 if isinstance(error, InputError) else 1)
        except KeyboardInterrupt as stop:
            if processes.first:
                message = stop.message if isinstance(stop, Interrupted) else "Stopped. Nothing was written."
                click.echo(message, err=True)
            ctx.exit(SIGNAL_EXIT_BASE + (stop.args[0] if stop.args else signal.SIGINT))


def _end(processes: Processes, say: Callable[[], None]) -> None:
    """Report once why all processes end; from now on ignore a launcher that ends the others when the first ends."""
    if processes.size > 1:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    processes.report_once(say)


@contextmanager
def _sigterm_like_ctrl_c() -> Iterator[None]:
    """Let temporary files be removed also when a cluster's scheduler ends the job."""

    def stop(number: int, _: FrameType | None) -> None:
        raise KeyboardInterrupt(number)

    previous = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def on_rank_zero(command: Callable[..., None]) -> Callable[..., None]:
    """Let the first process do what cannot be shared, and the others wait until it is done.

    Parameters
    ----------
    command
        Function of a command.

    Returns
    -------
    callable
        That does nothing in the other processes.
    """

    @wraps(command)
    def in_first(*args: Any, **options: Any) -> None:  # noqa: ANN401 (those of the command)
        processes = join_processes()
        with processes.together():
            if processes.first:
                command(*args, **options)

    return in_first


def answer(summary: dict[str, Any], lines: Iterable[str], *, as_json: bool, quiet: bool = False) -> None:
    """Print what a command has done.

    Parameters
    ----------
    summary
        For other programs.
    lines
        For people.
    as_json
        Whether to print the summary.
    quiet
        Whether to leave out the lines.
    """
    if as_json:
        click.echo(json.dumps(summary))
    elif not quiet:
        click.echo("\n".join(lines))


@contextmanager
def friendly_warnings() -> Iterator[None]:
    """Print warnings that are meant for the user as plain lines.

    Yields
    ------
    None
        Each is printed when it is raised: the user should not learn only after the training what is wrong with the
        data.
    """

    def show(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
        if issubclass(category, UserWarning) and join_processes().first:
            click.echo(f"Note: {message}", err=True)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield
