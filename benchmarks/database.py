"""The run's own tables."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection

from benchmarks.peers.models import HandWrittenToken


def make_tables() -> None:
    """Create every table of the package and of its peers in the run's database."""
    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        # Its table refers to that of users, which migrations make: it has none itself.
        editor.create_model(HandWrittenToken)


def empty(*models: Any) -> None:
    """Delete all rows of these tables and of those that refer to them."""
    tables = ", ".join(connection.ops.quote_name(m._meta.db_table) for m in models)
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")


def make_user(name: str) -> Any:
    """Return a user that may log in."""
    return get_user_model().objects.create_user(name, f"{name}@example.com", "pw")


def run_statement(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
