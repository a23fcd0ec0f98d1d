"""What a page consists of, and how it becomes HTML that needs nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from jinja2 import Environment, PackageLoader, StrictUndefined

__all__ = ["Block", "Code", "Page", "Picture", "Pictures", "Point", "Points", "Section", "Table", "Text", "render"]


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    kind: ClassVar[str] = "text"
    text: str
    aside: bool = False


@dataclass(frozen=True)
class Point:
    """A sentence of a list, and the few words that say what it is about."""

    about: str
    text: str


@dataclass(frozen=True)
class Points:
    """A list; `warning` marks what is to be distrusted."""

    kind: ClassVar[str] = "points"
    points: tuple[Point, ...]
    warning: bool = False


@dataclass(frozen=True)
class Table:
    """A table; its first column names the rows.

    Parameters
    ----------
    caption
        What it shows.
    columns
        Their names.
    rows
        Text of each cell.
    numbers
        The columns that hold numbers.
    folded
        What to press to see it, if it is long.
    """

    kind: ClassVar[str] = "table"
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[str, ...] = ()
    folded: str = ""


@dataclass(frozen=True)
class Picture:
    """A plot.

    Parameters
    ----------
    uri
        The image itself.
    alt
        What it shows, for those who do not see it.
    caption
        How to read it.
    width, height
        In CSS pixels.
    """

    uri: str
    alt: str
    caption: str
    width: int
    height: int


@dataclass(frozen=True)
class Pictures:
    """Plots that stand beside one another where there is room."""

    kind: ClassVar[str] = "pictures"
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Code:
    """Something to copy."""

    kind: ClassVar[str] = "code"
    text: str


Block = Text | Points | Table | Pictures | Code


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading."""

    anchor: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Page:
    """The whole page.

    Parameters
    ----------
    title
        Its heading.
    made
        By what, and when.
    numbers
        Pairs of a number and what it counts.
    found, distrust
        What to know before all else.
    sections
        The rest, in order.
    """

    title: str
    made: str
    numbers: tuple[tuple[str, str], ...]
    found: Points
    distrust: Points
    sections: Sequence[Section]


def render(page: Page) -> str:
    """Write the page as HTML.

    Parameters
    ----------
    page
        What it says.

    Returns
    -------
    str
        A whole document that loads nothing.

    Examples
    --------
    >>> page = Page("a < b", "", (), Points(()), Points(()), [])
    >>> "<h1>a &lt; b</h1>" in render(page)
    True
    """
    environment = Environment(
        loader=PackageLoader("omixvae.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(page=page)
