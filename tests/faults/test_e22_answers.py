"""E22 to E25: answers to a refresh that hold something else than was asked for."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import pytest
from django.utils import timezone

from oauth_accounts import outbox, sweep
from oauth_accounts.exceptions import ProviderUnavailable, ReauthRequired
from oauth_accounts.models import ConnectedAccount, PendingRevocation, UnreadAnswer
from oauth_accounts.testing.wire import Answer
from tests.faults.meanwhile import PATHS, renew
from tests.rows import stored

COLUMNS = ("access_token", "refresh_token")


def change(server, **members):
    """Let the next answer have other members; None leaves one out."""

    def answer(request):
        json = {**server.respond(request).json, **members}
        kept = {name: value for name, value in json.items() if value is not None}
        return Answer(json=kept)

    server.script(answer)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("granted", "added", "removed"),
    [("read", set(), {"write"}), ("read write admin", {"admin"}, set())],
)
def test_e22_scopes_change_at_a_refresh(
    path, granted, added, removed, make_account, server, told
):
    """What is granted is stored and told of; the rotated token is kept; scope is not sent."""
    scopes = ["read", "write"]
    account = make_account(scopes=scopes, requested_scopes=scopes)
    change(server, scope=granted)
    renew(path, account)
    account.refresh_from_db()
    assert account.scopes == granted.split()
    assert account.missing_scopes(scopes) == sorted(removed)
    assert account.status_reason == ("scopes_narrowed" if removed else "")
    [arguments] = [rest for name, rest in told if name == "scopes_changed"]
    assert (arguments["added"], arguments["removed"]) == (added, removed)
    assert server.is_live(account.reveal("refresh_token").get_value())
    assert server.is_live(account.get_access_token())
    assert "scope" not in server.token_requests[0].form


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "members", [{"token_type": "mac"}, {"access_token": None}, {"access_token": ""}]
)
def test_e23_no_usable_access_token_beside_a_new_refresh_token(
    path, members, account, server
):
    """The access token is not used; the refresh token, now the only one, is stored sealed."""
    before = account.reveal("access_token")
    change(server, **members)
    renew(path, account)
    [grant] = server.book.grants
    account.refresh_from_db()
    newest = grant.refresh_tokens[-1]
    assert account.reveal("refresh_token").get_value() == newest
    assert newest.encode() not in stored(account, "refresh_token")
    assert account.reveal("access_token") == before
    assert (account.status, account.failure_count) == ("active", 1)
    assert account.refresh_due_at > timezone.now()
    with pytest.raises(ProviderUnavailable) as caught:
        _fail_again(account, server, members)
    assert caught.value.code == "bad_answer"
    assert server.is_live(account.get_access_token())


def _fail_again(account, server, members):
    change(server, **members)
    account.get_access_token()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "body", ["<html>signed in!</html>", "access_token=at-form&x=1", "[1]", "{"]
)
def test_e24_an_answer_that_is_no_json(path, body, account, server):
    """
    It may hold the only token that works: the body is kept, sealed, and a person can
    read it. Nobody asks again before the back-off is over.
    """
    headers = {"Content-Type": "application/json"}
    server.script(Answer(status=200, body=body, headers=headers))
    renew(path, account)
    account.refresh_from_db()
    assert (account.status, account.status_reason) == ("active", "outcome_unknown")
    kept = UnreadAnswer.objects.get(account=account)
    assert kept.reveal("body").get_value() == body
    assert body.encode() not in stored(kept, "body")
    for _time in range(3):
        renew("sweep", account)
        renew("caller", account)
    assert len(server.token_requests) == 1
    past = timezone.now() - timedelta(seconds=1)
    account.stored_row().update(refresh_due_at=past, lease_until=past)
    assert sweep.run().refreshed == 1
    stored_row = ConnectedAccount.objects.get()
    assert (stored_row.status_reason, stored_row.failure_count) == ("", 0)


def id_token(subject):
    """Return an ID token about a subject; nobody has signed it."""
    claims = json.dumps({"iss": "x", "sub": subject}).encode()
    middle = base64.urlsafe_b64encode(claims).rstrip(b"=").decode()
    return f"e30.{middle}.c2ln"


@pytest.mark.parametrize("path", PATHS)
def test_e25_an_id_token_about_somebody_else(path, make_account, server, told):
    """
    No token of the stranger is stored: the account needs its owner, who is told once,
    and what came along is revoked. The account beside it is refreshed.
    """
    account, beside = make_account(), make_account("bob")
    before = [stored(account, name) for name in COLUMNS]
    mine = account.reveal("refresh_token").get_value()

    def answer(request):
        answer = server.respond(request)
        if request.form["refresh_token"] != mine:
            return answer
        return Answer(json={**answer.json, "id_token": id_token("mallory")})

    server.script(answer, answer)
    renew(path, account)
    renew(path, beside)
    account.refresh_from_db()
    assert (account.status, account.status_reason) == (
        "needs_reauth",
        "identity_changed",
    )
    assert account.lease is account.refresh_due_at is account.id_token is None
    assert {stored(account, name) for name in COLUMNS} <= {None, *before}
    assert [rest for name, rest in told if name == "reauth_required"] == [
        {"reason": "identity_changed"}
    ]
    with pytest.raises(ReauthRequired):
        account.get_access_token()
    [grant] = [one for one in server.book.grants if one.subject == "alice"]
    pending = PendingRevocation.objects.get()
    assert pending.reveal("refresh_token").get_value() == grant.refresh_tokens[-1]
    outbox.deliver_due()
    assert grant.refresh_tokens[-1] in server.revoked
    beside.refresh_from_db()
    assert (beside.status, beside.generation) == ("active", 1)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("token", [id_token("alice"), "opaque", "a.b.c", "e30.W10.x"])
def test_e25_an_id_token_about_the_same_subject_or_none(path, token, account, server):
    """Nothing follows from it; it is not stored, because nobody has verified it."""
    change(server, id_token=token)
    renew(path, account)
    account.refresh_from_db()
    assert (account.status, account.generation) == ("active", 1)
    assert account.id_token is None
    assert server.is_live(account.get_access_token())
