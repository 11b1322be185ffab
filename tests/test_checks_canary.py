"""W007: a few stored rows are opened, and the database says which keys it needs."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oauth_accounts import checks
from oauth_accounts.checks import canary
from oauth_accounts.models import ConnectedAccount, Provider
from oauth_accounts.testing.factories import ConnectedAccountFactory, ProviderFactory

LOST = "a-key-that-was-lost-and-is-found-again-b81f60"
pytestmark = pytest.mark.django_db


def check(databases=("default",)):
    return [
        (message.id.removeprefix("oauth_accounts."), message.msg)
        for message in checks.check_canary(databases=databases)
    ]


@pytest.fixture
def lost(settings):
    """Three accounts, one of them and none of the providers under a key that is missing."""
    provider = ConnectedAccountFactory().provider
    ConnectedAccountFactory(provider=provider)
    keys, settings.FERNET_KEYS = settings.FERNET_KEYS, [LOST]
    account = ConnectedAccountFactory(provider=provider)
    settings.FERNET_KEYS = keys
    return account


def test_a8_3_all_is_well():
    ConnectedAccountFactory()

    assert check() == []


def test_a8_3_an_account_that_does_not_open(lost, settings):
    text = "1 of 3 connected accounts that were looked at on 'default' do not open with"
    assert check() == [("W007", f"{text} FERNET_KEYS.")]
    [message] = checks.check_canary(databases=["default"])
    assert "end of the list" in message.hint
    settings.FERNET_KEYS = [*settings.FERNET_KEYS, LOST]
    assert check() == []


def test_a8_3_a_provider_that_does_not_open(settings):
    ProviderFactory()
    settings.FERNET_KEYS = [LOST]

    [(_id, text)] = check()

    assert text.startswith("1 of 1 providers")


def test_the_command_says_so(lost, capsys):
    call_command("check", databases=["default"])

    assert "oauth_accounts.W007" in capsys.readouterr().err


def test_no_database_is_read_unasked(lost, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert check(databases=None) == []


def test_what_holds_nothing_is_well(lost):
    ConnectedAccount.objects.get(pk=lost.pk).revoke()

    assert check() == []


def test_it_costs_the_same_however_many_there_are(lost, monkeypatch):
    """The sample is small, and read by the primary key."""
    monkeypatch.setattr(canary, "SAMPLE", 1)

    with CaptureQueriesContext(connection) as queries:
        text = str(check())

    assert "of 3" not in text
    read = [q["sql"] for q in queries if "connectedaccount" in q["sql"]]
    assert [sql.endswith("LIMIT 1") for sql in read if "ORDER BY" in sql] == [True] * 2


def test_keys_that_are_no_keys_are_another_checks_business(lost, settings):
    settings.FERNET_KEYS = ["short"]

    assert check() == []


def test_before_the_tables_are_made(monkeypatch):
    for model in (Provider, ConnectedAccount):
        monkeypatch.setattr(model._meta, "db_table", f"not_yet_{model.__name__}")

    assert check() == []


def test_before_a_column_is_made(lost, monkeypatch):
    """A later version seals one more column, and `migrate` checks before it adds it."""
    field = ConnectedAccount._meta.get_field("id_token")
    monkeypatch.setattr(field, "column", "not_there_yet")

    assert [found for found, _text in check()] == ["W007"]
