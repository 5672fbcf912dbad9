"""HTML that is escaped where it is made: text becomes markup only here."""

import html
import re

_VOID = {"br", "img", "link", "meta"}
# Characters that HTML forbids, and halves of surrogate pairs, which UTF-8 cannot write.
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


class Markup(str):
    """Text that is HTML already."""


def text(value: object) -> Markup:
    """Any value as escaped text; characters that a page cannot hold are shown as �."""
    if isinstance(value, Markup):
        return value
    return Markup(html.escape(_FORBIDDEN.sub("�", str(value))))


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """An element. Children: markup as it is, lists one by one, None not at all, the rest as text.

    Attributes: ``class_`` is class, ``_`` inside a name is ``-``; None and False leave one out, True has
    no value.
    """
    given = []
    for key, value in attributes.items():
        key = key.rstrip("_").replace("_", "-")
        if value is True:
            given.append(f" {key}")
        elif value is not None and value is not False:
            given.append(f' {key}="{text(value)}"')
    start = f"<{name}{''.join(given)}>"
    return Markup(start if name in _VOID else f"{start}{join(*children)}</{name}>")


def join(*children: object) -> Markup:
    """Children of an element, one after the other."""
    parts = []
    for child in children:
        if isinstance(child, list | tuple):
            parts.append(join(*child))
        elif child is not None:
            parts.append(text(child))
    return Markup("".join(parts))


def table(heads: list, rows: list[list], *, label: str, class_: str | None = None) -> Markup:
    """A table in a box of its own, that scrolls where it is wider than the page. The first cell of a row
    is its head; ``label`` says what the table is to those who do not see it."""
    top = tag("thead", tag("tr", [tag("th", head, scope="col") for head in heads]))
    body = [
        tag("tr", tag("th", row[0], scope="row"), [tag("td", cell) for cell in row[1:]])
        for row in rows
    ]
    grid = tag("table", top, tag("tbody", body), class_=class_)
    return tag("div", grid, class_="wide", role="region", aria_label=label, tabindex="0")


def details(summary: object, *children: object) -> Markup:
    """Children that are folded away below a line."""
    return tag("details", tag("summary", summary), *children)


def pre(content: str, label: str, longest: int = 0) -> Markup:
    """Text as it was written. Lines of more than ``longest`` characters are wrapped, of 0 all; others
    scroll in a box of their own, so that columns stay below each other."""
    if not longest:
        return tag("pre", content, class_="wrapped", dir="auto")
    lines = [
        tag("span", line, class_="wrapped") if len(line) > longest else text(line)
        for line in content.split("\n")
    ]
    return tag("pre", Markup("\n".join(lines)), tabindex="0", role="region", aria_label=label)
