"""E37 to E39: what else writes rows, listens to signals, and goes on failing."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from oauth_accounts import schedule, signals, sweep
from oauth_accounts.exceptions import TokenError
from oauth_accounts.models import ConnectedAccount
from oauth_accounts.testing.wire import Answer
from tests.admin.desk import Desk
from tests.faults.meanwhile import PATHS, during, renew
from tests.rows import stored

COLUMNS = ("access_token", "refresh_token")


def tokens(account) -> list[bytes | None]:
    return [stored(account, name) for name in COLUMNS]


def test_e37_saving_a_stale_instance_writes_no_token(account, server):
    """What was read before a refresh cannot bring the old tokens or state back."""
    stale = ConnectedAccount.objects.get(pk=account.pk)
    account.refresh()
    fresh = tokens(account)
    stale.label = "renamed"
    stale.save()
    account.refresh_from_db()
    assert tokens(account) == fresh
    assert (account.label, account.generation) == ("renamed", 1)
    assert account.refresh_due_at > timezone.now()
    assert server.is_live(account.get_access_token())


@pytest.mark.parametrize("path", PATHS)
def test_e37_saving_during_a_refresh_neither_blocks_nor_undoes_it(
    path, account, server
):
    """A form that was opened before, sent while the provider is at work on the request."""
    stale = ConnectedAccount.objects.get(pk=account.pk)
    stale.label = "renamed"
    during(server, account, stale.save)
    renew(path, account)
    account.refresh_from_db()
    assert (account.label, account.generation, account.lease) == ("renamed", 1, None)
    assert server.is_live(account.reveal("refresh_token").get_value())


def test_e37_the_admins_form_writes_no_token(account, server):
    """A page that is opened, overtaken by a refresh, and then saved."""
    desk = Desk(User.objects.create_superuser("root"))
    desk.page("connectedaccount_change", account.pk)
    account.refresh()
    fresh = tokens(account)
    desk.submit("connectedaccount_change", account.pk, label="renamed")
    assert tokens(account) == fresh
    assert ConnectedAccount.objects.get().generation == 1


@pytest.mark.parametrize("path", PATHS)
def test_e38_a_receiver_that_raises(path, make_account, server, caplog):
    """The token is committed before anybody hears of it; the error is logged."""
    accounts = [make_account(f"user-{n}") for n in range(3)]
    seen = []

    def explode(account, **kwargs):
        seen.append(ConnectedAccount.objects.get(pk=account.pk).generation)
        raise RuntimeError("from a receiver")

    signals.tokens_refreshed.connect(explode)
    try:
        for account in accounts:
            renew(path, account)
    finally:
        signals.tokens_refreshed.disconnect(explode)
    assert seen == [1, 1, 1]
    assert "from a receiver" in caplog.text
    for account in accounts:
        account.refresh_from_db()
        assert account.generation == 1
        assert server.is_live(account.get_access_token())
    assert len(server.token_requests) == 3


def test_e38_a_receiver_of_bad_news_that_raises(account, server, caplog):
    """The account is marked all the same, once, and the caller is told the reason."""

    def explode(**kwargs):
        raise RuntimeError("from a receiver")

    server.script(Answer(status=400, json={"error": "invalid_grant"}))
    signals.reauth_required.connect(explode)
    try:
        with pytest.raises(TokenError) as caught:
            account.get_access_token()
    finally:
        signals.reauth_required.disconnect(explode)
    assert caught.value.code == "invalid_grant"
    assert ConnectedAccount.objects.get().status == "needs_reauth"
    assert "from a receiver" in caplog.text


def test_e39_a_provider_that_always_answers_something_unknown(account, server, caplog):
    """
    One call each time the account is due, at intervals that double up to the longest;
    the failures are counted, logged once, and forgotten with the first success.
    """
    caplog.set_level(logging.WARNING, "oauth_accounts")
    odd = Answer(status=400, json={"error": "moon_in_wrong_phase"})
    server.script(*[odd] * 20)
    waits = []
    for beat in range(20):
        assert sweep.run().failed == 1
        assert sweep.run().done == 0
        account.refresh_from_db()
        assert (account.status, account.failure_count) == ("active", beat + 1)
        waits.append((account.refresh_due_at - timezone.now()).total_seconds())
        past = timezone.now() - timedelta(seconds=1)
        account.stored_row().update(refresh_due_at=past)
    assert len(server.token_requests) == 20
    for count, wait in enumerate(waits):
        full = min(
            schedule.BACKOFF_BASE_SECONDS * 2**count, schedule.BACKOFF_MAX_SECONDS
        )
        assert full / 2 - 5 <= wait <= max(full, 3600) + 5
    assert max(waits) > schedule.BACKOFF_MAX_SECONDS / 2 - 5
    assert account.last_error == "moon_in_wrong_phase"
    assert account.events.filter(kind="refresh_failed").count() == 1
    reasons = account.provider.refresh_statistics.filter(result="failure")
    assert sum(reasons.values_list("count", flat=True)) == 20

    assert sweep.run().refreshed == 1
    account.refresh_from_db()
    assert (account.failure_count, account.last_error) == (0, "")
    assert account.events.filter(kind="recovered").count() == 1
