"""ID tokens that come with a refresh: compared with the first one, and not stored."""

from __future__ import annotations

import contextlib
import time

import pytest

from oauth_accounts import sweep
from oauth_accounts.exceptions import ReauthRequired
from oauth_accounts.fields import Sealed, Secret
from oauth_accounts.models import ConnectedAccount, PendingRevocation, Provider

NONCE = "the-first-nonce"


@pytest.fixture
def account(make_account, server, provider):
    """An account that was connected with `openid`, its access token expired."""
    server.scopes = ("openid", "read")
    account = make_account()
    claims = {
        "iss": server.issuer,
        "sub": "alice",
        "aud": server.client_id,
        "nonce": NONCE,
        "exp": time.time() - 3000,
    }
    account.id_token = Secret(server.id_tokens.sign(claims))
    account.save(update_fields=["id_token"])
    return account


def refresh(account, swept):
    if swept:
        sweep.run()
    else:
        account.refresh()
    account.reload()


def asked_for_keys(server):
    return any(request.path.startswith("/jwks/") for request in server.requests)


both = pytest.mark.parametrize("swept", [False, True])


@both
@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"nonce": NONCE},
        {"aud": ["another"], "exp": 1},
    ],
)
def test_a4_7_the_same_person_is_refreshed(account, server, swept, claims):
    if "aud" in claims:
        claims = {**claims, "aud": [server.client_id, *claims["aud"]]}
    server.id_tokens.claims.update(claims)
    before = account.id_token
    refresh(account, swept)
    [grant] = server.grants
    assert account.reveal("refresh_token").get_value() == grant.refresh_tokens[-1]
    assert account.generation == 1
    # Nobody has verified it, so the one that was verified stays.
    assert account.id_token == before
    assert not asked_for_keys(server)


@both
@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "mallory"},
        {"sub": None},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another"},
        {"aud": []},
        {"aud": None},
        {"nonce": "another"},
        {"nonce": [NONCE]},
    ],
)
def test_a4_7_e25_another_person_client_or_issuer_is_refused(
    account, server, swept, claims
):
    server.id_tokens.claims.update(claims)
    before = (account.access_token, account.refresh_token, account.id_token)
    if swept:
        assert sweep.run().failed == 1
    else:
        with pytest.raises(ReauthRequired) as caught:
            account.refresh()
        assert caught.value.code == "identity_changed"
    account.reload()
    assert (account.status, account.status_reason) == (
        "needs_reauth",
        "identity_changed",
    )
    assert (account.access_token, account.refresh_token, account.id_token) == before
    [grant] = server.grants
    [pending] = PendingRevocation.objects.all()
    assert pending.reveal("refresh_token").get_value() == grant.refresh_tokens[-1]
    assert not asked_for_keys(server)


@both
def test_a4_7_a_provider_that_has_moved_is_the_same(account, server, swept):
    # As after `rebind`: the row has the new issuer, and the first ID token the old one.
    old = {"iss": "https://old.example", "sub": "alice", "aud": server.client_id}
    account.id_token = Secret(server.id_tokens.sign(old))
    account.save(update_fields=["id_token"])
    refresh(account, swept)
    assert (account.status, account.generation) == ("active", 1)
    server.id_tokens.claims["iss"] = "https://old.example"
    account.stored_row().update(refresh_due_at=account.issued_at)
    with contextlib.suppress(ReauthRequired):
        refresh(account, swept)
    account.reload()
    assert account.status_reason == "identity_changed"


def test_a4_7_the_subject_counts_where_the_id_is_another_one(account, server):
    Provider.objects.update(uid_path="id")
    ConnectedAccount.objects.update(uid="7")
    account.refresh_from_db()
    server.id_tokens.claims["sub"] = "mallory"
    sweep.run()
    account.reload()
    assert account.status_reason == "identity_changed"


@both
@pytest.mark.parametrize(
    "token", [None, "", "opaque", "a.b.c", "e30.W10.x", "e30.e30.x", "x" * 40_000]
)
def test_a4_7_what_cannot_be_read_loses_no_rotated_token(account, server, swept, token):
    server.id_tokens.make = lambda claims: token
    refresh(account, swept)
    [grant] = server.grants
    assert account.reveal("refresh_token").get_value() == grant.refresh_tokens[-1]
    assert account.status == "active"


@both
def test_a4_7_a_first_one_that_does_not_open_loses_no_rotated_token(
    account, server, swept
):
    account.stored_row().update(id_token=Sealed(b"of a key that is gone"))
    account.reload()
    refresh(account, swept)
    [grant] = server.grants
    assert account.reveal("refresh_token").get_value() == grant.refresh_tokens[-1]
