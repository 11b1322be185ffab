"""E11, E13 and E14: the provider refuses one account, or contradicts itself."""

from __future__ import annotations

from datetime import timedelta

import pytest

from oauth_accounts import sweep
from oauth_accounts.clock import utcnow
from oauth_accounts.exceptions import (
    ProviderMisconfigured,
    ProviderUnavailable,
    ReauthRequired,
    TokenError,
)
from oauth_accounts.models import ConnectedAccount, PendingRevocation
from oauth_accounts.testing.wire import Answer


def again(account):
    return ConnectedAccount.objects.get(pk=account.pk)


def test_e11_a_dead_grant(make_account, server, later, told):
    """
    One request and one signal, however many beats come; the access token stays on the row
    until it expires, but nobody is given it.
    """
    account = make_account(expires_in=200)
    server.book.revoke(account.reveal("refresh_token").get_value())
    for _beat in range(3):
        later()
        sweep.run()

    assert len(server.token_requests) == 1
    assert told == [("reauth_required", {"reason": "invalid_grant"})]
    row = again(account)
    assert (row.status, row.status_reason) == ("needs_reauth", "invalid_grant")
    assert (row.refresh_due_at, row.lease) == (None, None)
    assert row.reveal("access_token") == account.reveal("access_token")
    with pytest.raises(ReauthRequired, match="invalid_grant"):
        row.get_access_token()
    assert list(row.events.values_list("kind", "reason")) == [
        ("reauth_required", "invalid_grant")
    ]
    assert len(server.token_requests) == 1


@pytest.mark.parametrize(
    "code", ["invalid_scope", "invalid_request", "unsupported_grant_type"]
)
def test_e13_a_wrong_configuration(account, server, later, told, code):
    """
    Asking again soon would not mend it, and neither would the owner: an hour at least
    between tries, and the account stays connected.
    """
    server.script(*[Answer(status=400, json={"error": code})] * 3)
    for failures in (1, 2):
        sweep.run()
        assert sweep.run().done == 0
        row = again(account)
        assert (row.status, row.failure_count) == ("active", failures)
        assert row.last_error == code
        assert row.refresh_due_at > utcnow() + timedelta(minutes=59)
        later()
    with pytest.raises(ProviderMisconfigured, match=code):
        again(account).get_access_token()
    assert told == []
    assert len(server.token_requests) == 3
    later()
    assert sweep.run().refreshed == 1


@pytest.mark.parametrize(
    ("said", "stored"),
    [("policy_violation", "policy_violation"), ("<script>", "unknown")],
)
def test_e13_an_unknown_code(account, server, later, told, said, stored):
    """
    It may pass: tried again later and later, up to hours, counted where somebody can see
    it, and never taken for a grant that is gone.
    """
    server.script(*[Answer(status=400, json={"error": said})] * 12)
    for number in range(12):
        sweep.run()
        row = again(account)
        assert (row.status, row.status_reason) == ("active", "retrying")
        assert (row.failure_count, row.last_error) == (number + 1, stored)
        later()
    ahead = row.refresh_due_at - utcnow()
    assert timedelta(hours=2.9) < ahead <= timedelta(hours=6)
    assert len(server.token_requests) == 12
    assert told == []
    assert sweep.run().refreshed == 1


@pytest.mark.parametrize(
    ("error", "status"), [("invalid_grant", "needs_reauth"), ("odd", "active")]
)
def test_e14_an_error_with_status_200(account, server, error, status):
    """What is called an error is one, whatever the status, even beside a token."""
    server.script(
        Answer(
            json={
                "error": error,
                "access_token": "at-not-to-be-used",
                "token_type": "Bearer",
            }
        )
    )
    with pytest.raises(TokenError):
        account.get_access_token()
    row = again(account)
    assert (row.status, row.generation) == (status, 0)
    assert row.reveal("access_token") == account.reveal("access_token")


@pytest.mark.parametrize("status", [201, 400, 404, 500])
def test_e14_a_token_with_another_status(account, server, later, status):
    """
    A token that comes with a failure is not used, and neither is what came beside it;
    the account keeps what it has and is tried again.
    """
    tokens = {
        "access_token": "at-not-to-be-used",
        "refresh_token": "rt-not-to-be-used",
        "token_type": "Bearer",
        "expires_in": 3600,
    }
    server.script(Answer(status=status, json=tokens))
    with pytest.raises(ProviderUnavailable):
        account.get_access_token()
    row = again(account)
    assert (row.status, row.generation, row.failure_count) == ("active", 0, 1)
    for name in ("access_token", "refresh_token"):
        assert row.reveal(name) == account.reveal(name)
    assert PendingRevocation.objects.count() == 0
    later()
    assert sweep.run().refreshed == 1
