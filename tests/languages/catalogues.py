"""The translations under oauth_accounts/locale: read, brought up to date, written."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import django
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

NAME = "LC_MESSAGES/django"
WIDTH = 88
DJANGO = Path(django.__file__).parent / "contrib" / "admin" / "locale"


class Undated(Catalog):
    """A catalogue whose head holds no date and no version: a second run changes nothing."""

    @property
    def mime_headers(self) -> list[tuple[str, str]]:
        return [
            ("Project-Id-Version", "django-oauth-accounts"),
            ("Language", str(self.locale_identifier)),
            ("MIME-Version", "1.0"),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Transfer-Encoding", "8bit"),
            ("Plural-Forms", self.plural_forms),
        ]

    @mime_headers.setter
    def mime_headers(self, value: Iterable[tuple[str, str]]) -> None:
        Catalog.mime_headers.fset(self, value)

    @classmethod
    def like(cls, other: Catalog) -> Undated:
        """Return an empty one of the same language, with the same plurals."""
        empty = cls(
            other.locale_identifier,
            header_comment="# Texts and places: `make messages`. See CONTRIBUTING.md.",
            fuzzy=False,
        )
        empty.mime_headers = [("Plural-Forms", other.plural_forms)]
        return empty


def path_of(package: Path, language: str) -> Path:
    """Return where the .po of a language lies. language: as Django's folders spell it."""
    return package / "locale" / language / f"{NAME}.po"


def languages(package: Path) -> list[str]:
    """Return the languages that a package has, apart from English."""
    found = package.glob(f"locale/*/{NAME}.po")
    return sorted(path.parent.parent.name for path in found)


def read(path: Path, language: str) -> Catalog:
    """Return a catalogue; an empty one where there is no file yet."""
    if path.exists():
        return _parsed(path.read_bytes(), language)
    # Django merges catalogues whose plurals are alike, and its own need not be CLDR's.
    theirs = DJANGO / language / f"{NAME}.po"
    head = theirs.read_bytes().partition(b"\n\n")[0] if theirs.exists() else b""
    return _parsed(head, language)


def _parsed(text: bytes, language: str) -> Catalog:
    return read_po(BytesIO(text), locale=language, abort_invalid=True)


def updated(old: Catalog, texts: Catalog) -> Catalog:
    """
    Return a catalogue of exactly these texts, with the translations that there were.

    A text that was changed has none: nothing is guessed, so that nothing is fuzzy.
    """
    new = Undated.like(old)
    for text in texts:
        if not text.id:
            continue
        known = old.get(text.id, text.context)
        if known and known.pluralizable != text.pluralizable:
            # One that has got a plural is another text.
            known = None
        new.add(
            text.id,
            known.string if known else None,
            locations=text.locations,
            auto_comments=text.auto_comments,
            user_comments=known.user_comments if known else (),
            flags=known.flags & {"fuzzy"} if known else (),
            context=text.context,
        )
    return new


def write(path: Path, catalogue: Catalog) -> None:
    """Write the .po, and beside it the .mo that Django reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, catalogue, width=WIDTH, include_lineno=False)
    path.with_suffix(".mo").write_bytes(compiled(catalogue))


def compiled(catalogue: Catalog) -> bytes:
    """Return the .mo of a catalogue: what is not ready stays English."""
    ready = Undated.like(catalogue)
    for message in catalogue:
        if message.id and is_ready(message):
            ready.add(message.id, message.string, context=message.context)
    file = BytesIO()
    write_mo(file, ready)
    return file.getvalue()


def untranslated(catalogue: Catalog) -> list[str]:
    """Return the texts without a whole translation that is ready to be shown."""
    return [
        message.id if isinstance(message.id, str) else message.id[0]
        for message in catalogue
        if message.id and not is_ready(message)
    ]


def is_ready(message: Message) -> bool:
    """Say whether every form of a translation is there, and nobody doubts it."""
    string = message.string
    whole = all(string) if isinstance(string, tuple | list) else bool(string)
    return whole and not message.fuzzy
