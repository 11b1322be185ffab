"""The texts of the package that are marked for translation."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from django.utils.translation.template import templatize

TEMPLATES = {".html", ".txt"}
KEYWORDS = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
}


def sources(package: Path) -> Iterator[Path]:
    """Return the files of a package that may hold texts, in a stable order."""
    for path in sorted(package.rglob("*")):
        inside = path.relative_to(package).parts
        is_python = path.suffix == ".py" and "migrations" not in inside
        if is_python or (path.suffix in TEMPLATES and "templates" in inside):
            yield path


def as_python(source: str, name: str) -> str:
    """Return a template as calls of gettext, which a reader of Python understands."""
    # Inside brackets indentation means nothing.
    return f"(\n{templatize(source, name)}\n)"


def extracted(package: Path) -> Catalog:
    """Return all texts of a package, each with the files that it stands in."""
    found = Catalog()
    for path in sources(package):
        source = path.read_text(encoding="utf-8")
        if path.suffix in TEMPLATES:
            source = as_python(source, path.name)
        name = path.relative_to(package.parent).as_posix()
        lines = BytesIO(source.encode())
        for _line, message, comments, context in extract(
            "python", lines, KEYWORDS, ["Translators:"]
        ):
            found.add(
                message,
                locations=[(name, None)],
                auto_comments=comments,
                context=context,
            )
    return found
