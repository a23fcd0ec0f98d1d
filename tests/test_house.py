"""The shape of the house: what a reviewer would count, so that drift fails."""

import ast
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[1] / "omixvae"
MOST_LINES = 400
LONG_FILES = {"model.py"}
"""It is long by what it documents."""

MOST_LINES_OF_CODE = 60
FILES = sorted(HOUSE.rglob("*.py"))


def lines_of_code(function, text):
    """Count the lines of a function that are neither its docstring, nor a comment, nor empty."""
    first = function.body[0]
    said = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    docstring = range(first.lineno, first.end_lineno + 1) if said else ()
    lines = ((number, text[number - 1].strip()) for number in range(function.lineno, function.end_lineno + 1))
    return sum(number not in docstring and bool(line) and line[0] != "#" for number, line in lines)


def test_lines_of_code_are_counted_without_words():
    text = ["def f():", '    """One', "", '    two."""', "    # why", "", "    return 1"]
    assert lines_of_code(ast.parse("\n".join(text)).body[0], text) == 2


def test_no_file_is_longer_than_is_read_in_one_go():
    long = {path.relative_to(HOUSE).as_posix() for path in FILES if len(path.read_text().splitlines()) > MOST_LINES}
    assert long == LONG_FILES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(HOUSE).as_posix())
def test_no_function_is_longer_than_a_screen(path):
    text = path.read_text().splitlines()
    functions = [n for n in ast.walk(ast.parse("\n".join(text))) if isinstance(n, ast.FunctionDef)]
    assert {f.name: n for f in functions if (n := lines_of_code(f, text)) > MOST_LINES_OF_CODE} == {}
