"""What holds for every command: its help fits a screen and its examples are ones that the shell takes."""

import json
import shlex
import warnings

import click
import pytest
from click.testing import CliRunner

from omixvae.cli import SECTIONS, main
from omixvae.cli.frame import friendly_warnings
from omixvae.config import OPTIONS
from omixvae.datasets import list as list_sets

ROWS = 45


def commands():
    """Go through all commands, those of groups too."""
    for name, command in main.commands.items():
        if isinstance(command, click.Group):
            yield from ((f"{name} {inner}", inside) for inner, inside in command.commands.items())
        else:
            yield name, command


every_command = pytest.mark.parametrize(("words", "command"), list(commands()), ids=lambda value: str(value))


@every_command
def test_the_help_fits_a_screen_and_has_an_example(words, command):
    shown = CliRunner().invoke(main, [*words.split(), "--help"], terminal_width=100).output
    assert shown.count("\n") <= ROWS
    assert f"omixvae {words}" in shown.split("Examples:")[1]


@every_command
def test_the_examples_are_commands_that_are_understood(words, command):
    for example in command.examples:
        line = example.partition("#")[0].partition(" > ")[0].strip()
        if line.startswith(f"omixvae {words}"):
            arguments = shlex.split(line)[1 + len(words.split()) :]
            with command.make_context(words, arguments):
                pass


def test_every_command_stands_in_one_section_of_the_help():
    listed = [command.name for commands in SECTIONS.values() for command in commands]
    assert sorted(listed) == sorted(main.commands)


def test_all_options_are_explained():
    rows = json.loads(CliRunner().invoke(main, ["options", "--json"]).output)
    assert [row["name"] for row in rows] == list(OPTIONS)


def test_a_misspelt_option_is_named():
    result = CliRunner().invoke(main, ["options", "n_latnet"])
    assert result.exit_code == 2
    assert "Did you mean 'n_latent'?" in result.output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_gets_its_completion(shell):
    assert "_OMIXVAE_COMPLETE" in CliRunner().invoke(main, ["completion", shell]).output


@pytest.mark.parametrize(
    ("typed", "word"), [("--prior gau", "gaussian_mixture"), ("--likelihoods rna=neg", "rna=negative_binomial")]
)
def test_words_of_options_are_completed(typed, word):
    variables = {"_OMIXVAE_COMPLETE": "bash_complete", "COMP_WORDS": f"omixvae train {typed}", "COMP_CWORD": "3"}
    assert word in CliRunner().invoke(main, [], prog_name="omixvae", env=variables).output


def test_the_data_sets_are_listed():
    rows = json.loads(CliRunner().invoke(main, ["data", "list", "--json"]).output)
    assert [row["name"] for row in rows] == [*list_sets()["name"]]


def test_fetch_wants_a_name():
    result = CliRunner().invoke(main, ["data", "fetch"])
    assert result.exit_code == 2
    assert "No data set is named." in result.output


def test_an_unknown_data_set_gets_a_suggestion():
    result = CliRunner().invoke(main, ["data", "path", "nutrimose"])
    assert result.exit_code == 2
    assert "nutrimouse" in result.output


def test_notes_are_printed_when_they_come_up_and_not_after_hours_of_training(capsys):
    with warnings.catch_warnings(), friendly_warnings():
        warnings.simplefilter("always")  # that a test would fail by another's warning is not what is tested
        warnings.warn("A batch holds nothing but zeros.", stacklevel=1)
        assert capsys.readouterr().err == "Note: A batch holds nothing but zeros.\n"
        warnings.warn("Something will change.", FutureWarning, stacklevel=1)
    assert capsys.readouterr().err == ""
