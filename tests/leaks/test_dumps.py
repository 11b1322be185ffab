"""C3: a dump of the database, a replica of its files, a backup made with Django."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from oauth_accounts.exceptions import TokenError
from oauth_accounts.models import ConnectedAccount, PendingRevocation, UnreadAnswer
from oauth_accounts.testing.wire import Answer
from tests.leaks.markers import Secrets
from tests.views.browser import Browser, disconnect_url

UNREAD = "unreadable answer with a token in it: 5d8c0f11"


@pytest.fixture
def full(browser: Browser, server: Any, secrets: Secrets) -> Secrets:
    """A database in which every sealed column holds something; its secrets."""
    account = browser.connect()
    account.refresh()
    server.script(Answer(status=200, body=UNREAD))
    with pytest.raises(TokenError):
        account.refresh()
    server.subject = "bob"
    second = browser.connect()
    browser.post(disconnect_url(second))
    browser.start()
    provider = account.provider
    provider.previous_client_secret = provider.private_key = UNREAD
    provider.save()
    columns = ("access_token", "refresh_token", "id_token", "token_secret")
    account.refresh_from_db()
    for name in columns:
        setattr(account, name, getattr(account, name) or UNREAD)
    account.save(update_fields=columns)
    assert UnreadAnswer.objects.count() == PendingRevocation.objects.count() == 1
    secrets.add(UNREAD)
    return secrets


def sealed_text() -> str:
    """Return how a stored token begins, to see that what is searched is the data."""
    account = ConnectedAccount.objects.filter(access_token__isnull=False).first()
    assert account is not None
    return account.access_token.ciphertext.decode()[20:60]


def run(*command: str, **environment: str) -> bytes:
    done = subprocess.run(
        command,
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def server_of(**options: str) -> list[str]:
    """Return the options that lead a client program to this test's database."""
    settings = connection.settings_dict
    pairs = {name: str(settings[key.upper()]) for name, key in options.items()}
    return [f"--{name}={value}" for name, value in pairs.items()]


def pg_dump(*options: str) -> bytes:
    where = server_of(host="host", port="port", username="user", dbname="name")
    password = str(connection.settings_dict["PASSWORD"])
    return run("pg_dump", *where, *options, PGPASSWORD=password)


def mariadb_dump(*options: str) -> bytes:
    where = server_of(host="host", port="port", user="user")
    password = str(connection.settings_dict["PASSWORD"])
    name = str(connection.settings_dict["NAME"])
    return run("mariadb-dump", *where, *options, name, MYSQL_PWD=password)


@pytest.mark.postgres
@pytest.mark.parametrize("options", [(), ("--inserts",), ("-Fc", "-Z0")])
def test_c3_1_pg_dump(full: Secrets, options: tuple[str, ...]) -> None:
    dumped = pg_dump(*options)
    assert sealed_text().encode().hex().encode() in dumped
    assert full.found_in(dumped=dumped) == []


@pytest.mark.mariadb
@pytest.mark.parametrize("options", [(), ("--hex-blob",), ("--xml",)])
def test_c3_1_mariadb_dump(full: Secrets, options: tuple[str, ...]) -> None:
    dumped = mariadb_dump(*options)
    sealed = sealed_text().encode()
    assert sealed in dumped or sealed.hex().upper().encode() in dumped
    assert full.found_in(dumped=dumped) == []


@pytest.mark.sqlite
def test_c3_1_the_files_of_sqlite(full: Secrets) -> None:
    path = Path(connection.settings_dict["NAME"])
    files = sorted(path.parent.glob(f"{path.name}*"))
    content = b"".join(file.read_bytes() for file in files)
    assert sealed_text().encode() in content
    assert full.found_in(files=content) == []


@pytest.mark.parametrize("format_", ["json", "jsonl", "xml"])
@pytest.mark.parametrize("of", [(), ("oauth_accounts",)])
def test_c3_1_dumpdata_refuses(
    full: Secrets,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    format_: str,
    of: tuple[str, ...],
) -> None:
    target = tmp_path / "dump"
    dump: Callable[..., Any] = call_command
    with pytest.raises(CommandError, match="is sealed and cannot be serialised"):
        dump("dumpdata", *of, format=format_, output=str(target))
    with pytest.raises(CommandError):
        dump("dumpdata", *of, format=format_, use_base_manager=True)
    printed = capsys.readouterr()
    written = target.read_text() if target.exists() else ""
    written += printed.out + printed.err + "."
    assert full.found_in(written=written) == []
    assert sealed_text() not in written


def test_c3_1_dumpdata_without_the_sealed_models_works(full: Secrets) -> None:
    models = ("connectedaccount", "provider", "authorizationattempt")
    sealed = [*models, "pendingrevocation", "unreadanswer"]
    out = Path(os.devnull)
    call_command(
        "dumpdata",
        exclude=[f"oauth_accounts.{name}" for name in sealed],
        output=str(out),
    )
