"""Pages of the reference that are written from the code at each build: names, options and commands.

A page in git would be a second copy, and would soon say something else.
"""

import inspect
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
from sphinx.application import Sphinx
from sphinx.config import Config as SphinxConfig

import omixvae
from omixvae.cli import SECTIONS, main
from omixvae.cli.frame import Option
from omixvae.config import GROUPS, OPTIONS

PYTHON = """# Python

Everything that `import omixvae` gives. An object is loaded when it is first used, so the import itself takes no time.
What `**options` may be is said with {func}`omixvae.fit`, and on the page [Options](options.md).
"""
FURTHER = {
    "omixvae.evaluation": ["omixvae.evaluation.evaluate", "omixvae.evaluation.Evaluation"],
    "omixvae.report": ["omixvae.report.write_report"],
    "mdata.omixvae, after import omixvae.accessor": ["omixvae.accessor.Accessor"],
}
"""Heading to names that are imported from modules of their own: what they need takes time, or changes MuData."""
OPTIONS_PAGE = """# Options

Every option of a run. In Python they are the arguments of {func}`omixvae.fit` and {class}`omixvae.OmixVAE`, on the
command line they have dashes for underscores (`--n-latent 10`), and in a file for `--config` each is a line
`name: value`.

What is not given, or `auto`, is decided from the data; `omixvae inspect cohort.h5mu` says how, and why. Values per
modality are a `dict` in Python (`{"rna": "counts"}`) and pairs on the command line (`rna=counts,protein=counts`); lists
are separated by commas there. `omixvae options` prints the same as this page.
"""
COMMANDS = """# Command line

`omixvae COMMAND --help` says the same as this page. The exit code is 0 when all is done, 2 when data or options cannot
be used (the message says what, where, and how to fix it), 1 after a mistake of ours, and 130 or 143 after Ctrl-C or
SIGTERM. Files are written whole or not at all.
"""


def summary(title: str, names: list[str]) -> Iterator[str]:
    """List Python names with their first lines, and have a page made for each."""
    yield f"\n## {title}\n\n```{{eval-rst}}\n.. autosummary::\n   :toctree: generated\n   :nosignatures:\n"
    yield from (f"   {name}" for name in names)
    yield "```"


def python_page() -> str:
    """Write a list of all public names, and of those of each public module."""
    named = {name: getattr(omixvae, name) for name in omixvae.__all__ if not name.startswith("__")}
    modules = {name: value for name, value in named.items() if inspect.ismodule(value)}
    lines = [PYTHON, *summary("omixvae", [f"omixvae.{name}" for name in named if name not in modules])]
    for name, module in modules.items():
        lines += module_section(f"omixvae.{name}", module)
    for title, names in FURTHER.items():
        lines += summary(title, names)
    return "\n".join(lines)


def module_section(path: str, module: ModuleType) -> Iterator[str]:
    """List what a public module gives, under its own first sentence."""
    title, *members = summary(path, [f"{path}.{name}" for name in module.__all__])
    yield title.replace("\n\n```", f"\n\n{inspect.getdoc(module)}\n\n```", 1)
    yield from members


def options_page() -> str:
    """Write one table of options for each group."""
    lines = [OPTIONS_PAGE]
    for group in GROUPS:
        lines.append(f"\n## {group.capitalize()}\n\n| option | what it is |\n|---|---|")
        for option in (option for option in OPTIONS.values() if option.group == group):
            allowed = option.allowed.describe()
            shown = f" Default: `{option.default_text}`." if option.default_text else ""
            lines.append(f"| `{option.name}` | {option.help} *{allowed[0].upper()}{allowed[1:]}.*{shown} |")
    return "\n".join(lines)


def commands_page() -> str:
    """Write what `--help` says of each command, with tables of its options."""
    lines = [COMMANDS]
    for heading, commands in SECTIONS.items():
        lines.append(f"\n## {heading}")
        for command in commands:
            lines += command_section(command, f"omixvae {command.name}")
    return "\n".join(lines)


def command_section(command: click.Command, path: str) -> Iterator[str]:
    """Describe one command, or all of a group."""
    if isinstance(command, click.Group):
        for name, part in command.commands.items():
            yield from command_section(part, f"{path} {name}")
        return
    context = click.Context(command, info_name=path, help_option_names=main.context_settings["help_option_names"])
    yield f"\n### {path}\n\n```text\n{command.get_usage(context).removeprefix('Usage: ')}\n```"
    yield f"\n{inspect.cleandoc(command.help or '')}\n"
    yield "| option | what it does |\n|---|---|"
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if isinstance(parameter, click.Option) and record is not None:
            yield f"| `{record[0]}` | {record[1]} |"
    if any(isinstance(parameter, Option) for parameter in command.params):
        yield "\nAnd all other [options of the run](options.md)."
    yield "\n```bash\n" + "\n".join(command.examples) + "\n```"


PAGES = {"python": python_page, "options": options_page, "command_line": commands_page}


def write_pages(app: Sphinx, _: SphinxConfig) -> None:
    """Write each page, unless it is there as it should be: Sphinx reads again what has changed."""
    for name, make in PAGES.items():
        path, text = Path(app.srcdir, "api", f"{name}.md"), make()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def shorten_signature(
    _app: Sphinx, _what: str, _name: str, _value: object, _options: object, signature: str | None, returns: str | None
) -> tuple[str, str | None] | None:
    """Show the options of a run as `**options`: they have a page of their own, and fill a screen."""
    head, found, _ = (signature or "").partition(f", {next(iter(OPTIONS))}=")
    return (f"{head}, **options)", returns) if found else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages before Sphinx looks for its sources."""
    app.connect("config-inited", write_pages)
    app.connect("autodoc-process-signature", shorten_signature)
    return {"parallel_read_safe": True}
