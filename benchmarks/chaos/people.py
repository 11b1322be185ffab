"""The accounts of a run: made at once, known to the server, due within their first life."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection

from benchmarks import database, rows
from benchmarks.chaos.app import app
from benchmarks.chaos.queues import EXPIRES, LETTER_BOX, REFRESH
from oauth_accounts.models import ConnectedAccount, Provider


def make_tables() -> None:
    call_command("migrate", verbosity=0)


def make(url: str, count: int, life: int) -> dict[Any, str]:
    """
    Store so many accounts of a new provider and nothing else; return key to family.

    life: seconds over which they come due.
    """
    database.empty(Provider, ConnectedAccount, get_user_model())
    provider = rows.make_provider(url, slug="chaos")
    rows.add_accounts(provider, count)
    keys = rows.keys_of(provider, count)
    rows.seal_tokens(provider, keys)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {rows.TABLE} SET refresh_due_at = now() + random() * %s "  # noqa: S608
            "* interval '1 second', expires_at = now() + %s * interval '1 second'",
            [life, life],
        )
    rows.tidy()
    return {key: f"chaos-{number}" for number, key in enumerate(keys)}


def ask_for(key: Any, queue: str = LETTER_BOX) -> None:
    """Send the message that somebody's own code sends to have an account refreshed."""
    app.send_task(REFRESH, [str(key)], queue=queue, expires=EXPIRES)
