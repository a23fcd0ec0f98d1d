"""Read a page as a browser would, without one."""

from html.parser import HTMLParser

NASTY = "<b>&\"'"
"""A name that is markup, and ends attributes."""

VOID = {"meta", "img", "br", "hr", "link", "input"}


class Reader(HTMLParser):
    """Collect elements, tables and text, and find elements that are not closed as they were opened."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.misplaced: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        self.misplaced += self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.misplaced.append(tag)

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.text += data
        if self.open and self.open[-1] in ("td", "th"):
            self.tables[-1][-1][-1] += data

    def all(self, tag: str) -> list[dict[str, str]]:
        """Give the attributes of all elements of one kind."""
        return [attributes for name, attributes in self.elements if name == tag]

    def table(self, first: str) -> list[dict[str, str]]:
        """Give the rows of the first table whose first column has this name."""
        head, *rows = next(table for table in self.tables if table[0][0] == first)
        return [dict(zip(head, row, strict=True)) for row in rows]
