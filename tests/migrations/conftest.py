"""A database of its own for each test, and Django's commands in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from django.db import connection

from tests.settings import TEST_DATABASE


class Project:
    """
    A project under one settings module, on a fresh database of the engine under test.

    database: its name. settings: dotted path.
    """

    def __init__(self, database: str, settings: str = "tests.settings"):
        self.database = database
        self.settings = settings

    def under(self, settings: str) -> Project:
        """Return the same database under other settings."""
        return Project(self.database, settings)

    def try_django(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `python -m django` and return what came of it."""
        return self._run("-m", "django", *arguments)

    def django(self, *arguments: str) -> str:
        """Run `python -m django`, which has to succeed, and return what it prints."""
        return self._output(self.try_django(*arguments))

    def python(self, program: str) -> str:
        """Run a program after django.setup() and return what it prints."""
        setup = "import django\ndjango.setup()\n"
        return self._output(self._run("-c", setup + program))

    def tables(self) -> set[str]:
        """Return the names of this app's tables."""
        names = self.python(
            "from django.db import connection\n"
            "print(*connection.introspection.table_names())"
        )
        return {name for name in names.split() if name.startswith("oauth_accounts_")}

    def _output(self, result: subprocess.CompletedProcess[str]) -> str:
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": self.settings,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "TEST_DATABASE": TEST_DATABASE,
            "TEST_DATABASE_NAME": self.database,
        }
        return subprocess.run(
            [sys.executable, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


@pytest.fixture
def project(tmp_path: Path, django_db_blocker):
    """A project without a table, on SQLite, PostgreSQL or MariaDB."""
    if TEST_DATABASE == "sqlite":
        yield Project(str(tmp_path / "project.sqlite3"))
        return
    name = f"oauth_accounts_{uuid.uuid4().hex[:12]}"
    quoted = connection.ops.quote_name(name)
    options = "" if TEST_DATABASE == "postgres" else "CHARACTER SET utf8mb4"
    with django_db_blocker.unblock(), connection._nodb_cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {quoted} {options}")
    yield Project(name)
    with django_db_blocker.unblock(), connection._nodb_cursor() as cursor:
        cursor.execute(f"DROP DATABASE {quoted}")
