"""E7 to E9: no answer, no connection, and answers of a provider in trouble."""

from __future__ import annotations

import socket
from datetime import timedelta

import pytest

from oauth_accounts import schedule, sweep
from oauth_accounts.clock import utcnow
from oauth_accounts.exceptions import ProviderUnavailable
from oauth_accounts.models import ConnectedAccount, Provider
from oauth_accounts.testing.wire import Answer


def again(account):
    return ConnectedAccount.objects.get(pk=account.pk)


def assert_kept(account, reason):
    """The account waits for its next try with the tokens it had."""
    row = again(account)
    assert (row.status, row.status_reason) == ("active", reason)
    assert row.reveal("refresh_token") == account.reveal("refresh_token")
    assert row.refresh_due_at > utcnow() + timedelta(seconds=10)
    assert row.generation == 0


@pytest.mark.parametrize("way", ["asked for", "swept"])
def test_e07_a_request_without_an_answer(account, server, settings, later, told, way):
    """
    The provider reads the request and says nothing: what it did is unknown, so it is not
    asked again before the back-off is over, whoever asks; then once, with success.
    """
    settings.OAUTH_ACCOUNTS_HTTP_TIMEOUT = 0.3
    server.script(Answer(delay=30))
    if way == "swept":
        sweep.run()
    with pytest.raises(ProviderUnavailable, match="outcome_unknown"):
        again(account).get_access_token()
    assert sweep.run().done == 0

    assert len(server.token_requests) == 1
    assert_kept(account, "outcome_unknown")
    assert again(account).refresh_due_at > utcnow() + timedelta(seconds=60)
    later()
    settings.OAUTH_ACCOUNTS_HTTP_TIMEOUT = 15
    assert sweep.run().refreshed == 1
    assert again(account).status_reason == ""
    assert len(server.token_requests) == 2
    assert "reauth_required" not in [name for name, _ in told]


@pytest.fixture
def plug():
    """A port where TCP ends: nothing listens, and nothing else will."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def broken_endpoint(how, server, plug, monkeypatch):
    if how == "closed":
        return f"http://127.0.0.1:{plug}/token"
    if how == "tls":
        # The server speaks no TLS.
        return server.token_endpoint.replace("http:", "https:")

    def unknown_name(*arguments, **options):
        raise socket.gaierror(socket.EAI_NONAME, "unknown name")

    monkeypatch.setattr(socket, "getaddrinfo", unknown_name)
    return server.token_endpoint.replace("127.0.0.1", "localhost")


@pytest.mark.parametrize("how", ["closed", "tls", "dns"])
def test_e08_no_connection(make_account, server, plug, monkeypatch, told, how):
    """
    Nothing was sent, so nothing is lost: back-off that grows, with jitter, tokens kept,
    a token that is still valid is handed out, and no owner is bothered.
    """
    endpoint = broken_endpoint(how, server, plug, monkeypatch)
    fields = {**server.as_provider_fields(), "token_endpoint": endpoint}
    provider = Provider.objects.create(slug="broken", **fields)
    account = make_account(provider=provider)
    valid = make_account("bert", expires_in=30, provider=provider)

    with pytest.raises(ProviderUnavailable, match="unreachable"):
        again(account).get_access_token()
    assert again(valid).get_access_token() == valid.reveal("access_token").get_value()

    for one in (account, valid):
        assert_kept(one, "retrying")
        row = again(one)
        assert (row.lease, row.attempt_started_at) == (None, None)
        assert (row.failure_count, row.last_error) == (1, "unreachable")
    assert server.token_requests == []
    assert told == []


def test_e08_the_back_off_grows_and_is_spread():
    """Up to six hours, and accounts that failed together do not come back together."""
    for failures, full in [(0, 30), (1, 60), (5, 960), (9, 15_360), (10, 21_600)]:
        waits = [schedule.backoff(failures) for _ in range(200)]
        assert min(waits) >= full / 2
        assert max(waits) <= full
        assert len(set(waits)) > 100
    assert schedule.backoff(10_000) <= schedule.BACKOFF_MAX_SECONDS


TROUBLES = {
    "503": Answer(status=503, json={}),
    "temporarily_unavailable": Answer(
        status=400, json={"error": "temporarily_unavailable"}
    ),
    "server_error": Answer(status=400, json={"error": "server_error"}),
    "html": Answer(status=502, body="<h1>Bad gateway</h1>"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_e09_a_provider_in_trouble(make_account, server, later, told, trouble):
    """
    Five such answers are five tries, each later than could be the one before; the old
    token serves while it is valid; then all is well and its owner never heard of it.
    """
    account = make_account(expires_in=250)
    before = account.reveal("access_token").get_value()
    server.script(*[TROUBLES[trouble]] * 5)
    for number in range(5):
        later()
        assert sweep.run().failed == 1
        assert sweep.run().done == 0
        row = again(account)
        assert (row.status, row.failure_count) == ("active", number + 1)
        least = schedule.BACKOFF_BASE_SECONDS * 2**number / 2
        assert row.refresh_due_at > utcnow() + timedelta(seconds=least - 5)
        assert row.get_access_token() == before
    assert len(server.token_requests) == 5

    later()
    assert sweep.run().refreshed == 1
    row = again(account)
    assert (row.status_reason, row.failure_count, row.last_error) == ("", 0, "")
    assert server.is_live(row.get_access_token())
    assert len(server.token_requests) == 6
    assert {name for name, _ in told} == {"tokens_refreshed", "refresh_recovered"}
