"""Inside the caller's transaction: a rollback must not lose a rotated token."""

from __future__ import annotations

import time

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection, connections, transaction

from oauth_accounts import durable, writeback
from oauth_accounts.exceptions import RefreshInTransaction
from oauth_accounts.models import ConnectedAccount, Provider


@pytest.mark.postgres
@pytest.mark.mariadb
def test_a_rollback_after_the_call_does_not_lose_the_token(account, server):
    with transaction.atomic():
        token = account.get_access_token()
        transaction.set_rollback(True)
    stored = ConnectedAccount.objects.get(pk=account.pk)
    assert stored.reveal("access_token").get_value() == token
    assert server.is_live(stored.reveal("refresh_token").get_value())
    assert stored.generation == 1
    assert len(server.token_requests) == 1


def test_a_valid_token_is_returned_inside_a_transaction(make_account, server):
    account = make_account(expires_in=3000)
    with transaction.atomic():
        assert server.is_live(account.get_access_token())


def test_a_row_that_is_not_committed_is_refused_before_the_call(make_account, server):
    with transaction.atomic():
        account = make_account("new")
        with pytest.raises(RefreshInTransaction) as caught:
            account.get_access_token()
    assert caught.value.recovery == "retry"
    assert server.token_requests == []
    assert server.is_live(account.get_access_token())


@pytest.mark.postgres
@pytest.mark.mariadb
def test_a_row_the_caller_has_locked_is_refused_before_the_call(account, server):
    with transaction.atomic():
        ConnectedAccount.objects.select_for_update().get(pk=account.pk)
        begun = time.monotonic()
        with pytest.raises(RefreshInTransaction):
            account.get_access_token()
        assert time.monotonic() - begun < 5
    assert server.token_requests == []


@pytest.mark.sqlite
def test_sqlite_with_a_write_pending_is_refused_before_the_call(account, server):
    with transaction.atomic():
        ConnectedAccount.objects.filter(pk=account.pk).update(label="pending")
        begun = time.monotonic()
        with pytest.raises(RefreshInTransaction):
            account.get_access_token()
        assert time.monotonic() - begun < 5
    assert server.token_requests == []


def test_a_test_case_may_refresh_inside_its_transaction(account, server):
    with transaction.atomic(), durable.inline():
        token = account.get_access_token()
    assert ConnectedAccount.objects.get(pk=account.pk).get_access_token() == token
    assert connection.in_atomic_block is False


@pytest.mark.postgres
@pytest.mark.mariadb
@pytest.mark.parametrize("statement", ["lock", "write"])
def test_a_provider_the_caller_holds_is_refused_before_the_call(
    account, server, statement
):
    """Storing an account refers to its provider, and would wait for the caller for ever."""
    with transaction.atomic():
        rows = Provider.objects.filter(pk=account.provider_id)
        if statement == "lock":
            list(rows.select_for_update())
        else:
            rows.update(name="renamed")
        begun = time.monotonic()
        with pytest.raises(RefreshInTransaction):
            account.get_access_token()
        assert time.monotonic() - begun < 5
    assert server.token_requests == []


@pytest.mark.postgres
@pytest.mark.mariadb
def test_nothing_waits_for_ever_for_a_lock_of_the_caller(account, monkeypatch):
    monkeypatch.setattr(durable, "LOCK_SECONDS", 1)
    rows = User.objects.filter(pk=account.owner_id)
    with transaction.atomic():
        list(rows.select_for_update())
        begun = time.monotonic()
        with pytest.raises(OperationalError):
            durable.run("default", lambda: rows.update(first_name="x"))
        assert time.monotonic() - begun < 5


def test_a_write_that_is_repeated_is_committed_where_settings_have_no_autocommit(
    account, monkeypatch
):
    """The database went away with the connection that had been told to commit."""
    write, tries = writeback._write, []

    def away(alias, group):
        tries.append(group)
        if len(tries) == 1:
            connections[alias].close()
            raise OperationalError
        return write(alias, group)

    monkeypatch.setattr(writeback, "_write", away)
    with monkeypatch.context() as patch:
        patch.setitem(connection.settings_dict, "AUTOCOMMIT", False)
        connection.close()
        ConnectedAccount.objects.get(pk=account.pk).refresh()
        connection.close()
    account.refresh_from_db()
    assert account.generation == 1
