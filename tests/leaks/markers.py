"""What must not be found, and every way in which it might be written."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

from django.db import connection

# Enough of a secret to be told from anything else.
SHORTEST = 16


class Secrets(set[str]):
    """The secrets of a test; there are never so few that a search means nothing."""

    def found_in(self, **places: str | bytes) -> list[tuple[str, str]]:
        """Return the places in which one is found, with its first characters."""
        assert self
        assert all(len(secret) >= SHORTEST for secret in self)
        assert all(places.values()), "nothing to search in"
        return find(self, places)


def find(
    secrets: Iterable[str], places: Mapping[str, str | bytes]
) -> list[tuple[str, str]]:
    texts = {
        name: text.decode("latin-1") if isinstance(text, bytes) else text
        for name, text in places.items()
    }
    disguised = {secret: disguises(secret) for secret in secrets}
    return [
        (place, secret[:6])
        for place, text in texts.items()
        for secret, forms in disguised.items()
        if any(form in text for form in forms)
    ]


def disguises(secret: str) -> set[str]:
    """Return the secret raw, escaped, in hex, and in base64 wherever it may begin there."""
    raw = secret.encode()
    return {
        secret,
        html.escape(secret),
        json.dumps(secret)[1:-1],
        quote(secret, safe=""),
        quote_plus(secret),
        raw.hex(),
        raw.hex().upper(),
        *_base64(raw),
    }


def _base64(raw: bytes) -> Iterator[str]:
    for before in range(3):
        bits = 8 * before
        # What stands before and behind shares the first and the last character.
        first, last = -(-bits // 6), (bits + 8 * len(raw)) // 6
        text = base64.b64encode(b"\0" * before + raw).decode()[first:last]
        yield text
        yield text.replace("+", "-").replace("/", "_")


def dump() -> str:
    """Return every row of every table, as the database holds it; bytes as text."""
    rows = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            name = connection.ops.quote_name(table)
            cursor.execute(f"SELECT * FROM {name}")  # noqa: S608
            for row in cursor.fetchall():
                rows += [
                    bytes(v).decode("latin-1")
                    if isinstance(v, bytes | memoryview)
                    else str(v)
                    for v in row
                ]
    return "\n".join(rows)
