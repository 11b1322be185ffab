"""What stands in the documentation: code blocks, tables, sections."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```(\S*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Block:
    page: str
    """File name."""
    language: str
    """As behind the fence."""
    lead: str
    """The paragraph above, which says what to do with it."""
    text: str


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    text = page.read_text()
    return [
        Block(
            page=page.name,
            language=found[1],
            lead=text[: found.start()].rstrip().rpartition("\n\n")[2],
            text=found[2],
        )
        for found in _FENCE.finditer(text)
    ]


def quickstart(readme: Path) -> list[Block]:
    """Return the blocks between the markers of the quickstart."""
    text = readme.read_text()
    inside = text.partition("<!-- quickstart start -->")[2]
    inside = inside.partition("<!-- quickstart end -->")[0]
    return [block for block in blocks(readme) if block.text in inside]


def section(page: Path, title: str) -> str:
    """Return what stands under a heading of second level."""
    found = re.search(
        rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)",
        page.read_text(),
        re.DOTALL | re.MULTILINE,
    )
    assert found, f"{page.name} has no section {title!r}"
    return found[1]


def first_column(text: str) -> list[str]:
    """Return the code in the first cells of the tables of a text."""
    cells = re.findall(r"^\| (`[^|]*`) *\|", text, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]
