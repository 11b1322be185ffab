"""What failed refreshes do to their provider, with a real server and database."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime

import pytest
from django.utils import timezone

from oauth_accounts import clock, outages, reactions
from oauth_accounts.clock import DatabaseNow
from oauth_accounts.exceptions import (
    ProviderMisconfigured,
    ProviderUnavailable,
    ReauthRequired,
    TokenError,
)
from oauth_accounts.models import AccountEvent, ConnectedAccount, Provider
from oauth_accounts.testing.wire import Answer
from tests.rows import again

NEAR = 3.0


def fail(account: ConnectedAccount) -> TokenError:
    """Return the error of a refresh, with the account as it is then."""
    with pytest.raises(TokenError) as caught:
        account.refresh()
    account.refresh_from_db()
    account.provider.refresh_from_db()
    return caught.value


def run_out(provider: Provider) -> None:
    past = DatabaseNow() - timedelta(seconds=1)
    Provider.objects.filter(pk=provider.pk).update(paused_until=past)


def half_open(provider: Provider, reason: str) -> None:
    provider.pause(30, reason)
    run_out(provider)


def kinds() -> list[tuple[str, str]]:
    events = AccountEvent.objects.order_by("created_at")
    return list(events.values_list("kind", "reason"))


def logged(caplog) -> list[str]:
    return [r.levelname for r in caplog.records if r.name == "oauth_accounts"]


class TestTooManyRequests:
    def limited(self, server, **headers):
        server.script(Answer(status=429, headers=headers, json={}))

    @pytest.mark.parametrize(
        ("header", "seconds"),
        [
            ("120", 120),
            ("0", 1),
            ("-5", 60),
            ("1000000000", 86_400),
            ("in a while", 60),
        ],
    )
    def test_e10_the_provider_waits_as_long_as_it_asks_for(
        self, account, server, header, seconds
    ):
        self.limited(server, **{"Retry-After": header})

        assert fail(account).code == "rate_limited"

        left = account.provider.paused_until - timezone.now()
        assert abs(left.total_seconds() - seconds) < NEAR

    def test_e10_without_a_header_a_minute(self, account, server):
        self.limited(server)
        fail(account)
        assert 60 - NEAR < account.provider.seconds_paused() <= 60

    @pytest.mark.parametrize("ahead", [-600, 0, 600])
    def test_e10_a_date_means_the_same_whatever_the_clock(
        self, account, server, monkeypatch, ahead
    ):
        wrong = timedelta(seconds=ahead)
        until = timezone.now() + timedelta(seconds=200)
        monkeypatch.setattr(clock, "utcnow", lambda: timezone.now() + wrong)
        self.limited(server, **{"Retry-After": format_datetime(until, usegmt=True)})

        fail(account)

        assert 200 - NEAR < account.provider.seconds_paused() <= 200

    def test_it_is_not_the_accounts_failure(self, account, server, caplog):
        self.limited(server, **{"Retry-After": "120"})

        fail(account)

        assert (account.status, account.status_reason) == ("active", "rate_limited")
        assert (account.failure_count, account.last_error) == (0, "")
        assert account.lease is None
        assert account.attempt_started_at is None
        assert account.refresh_due_at > account.provider.paused_until
        assert kinds() == [("provider_paused", "rate_limited")]
        assert logged(caplog) == ["WARNING"]

    def test_the_next_success_leaves_no_trace(self, account, server):
        self.limited(server, **{"Retry-After": "120"})
        fail(account)
        run_out(account.provider)

        assert server.is_live(account.get_access_token())

        account = again(account)
        assert (account.status_reason, account.failure_count) == ("", 0)
        assert kinds() == [
            ("provider_paused", "rate_limited"),
            ("provider_resumed", "answered"),
        ]
        assert again(account.provider).paused_until is None


class TestTheClientIsRefused:
    def test_e12_no_account_is_marked_and_somebody_is_told_once(
        self, make_account, server, caplog
    ):
        first, second = make_account("one"), make_account("two")
        server.script(Answer(status=401, json={"error": "invalid_client"}))

        assert fail(first).code == "invalid_client"
        assert fail(second).code == "provider_paused"

        for account in (first, second):
            assert (account.status, account.status_reason) == ("active", "")
            assert (account.failure_count, account.last_error) == (0, "")
        assert 900 - NEAR < first.provider.seconds_paused() <= 900
        assert kinds() == [("provider_paused", "invalid_client")]
        assert logged(caplog) == ["ERROR"]
        assert len(server.token_requests) == 1

    @pytest.mark.parametrize("status", [200, 400, 403, 503])
    def test_e12_in_a_providers_own_words(self, account, server, status):
        code = "incorrect_client_credentials"
        server.script(Answer(status=status, json={"error": code}))

        fail(account)

        assert account.provider.pause_reason == "invalid_client"
        assert account.status == "active"


class TestTheGrantIsDead:
    @pytest.mark.parametrize("status", [200, 400, 401, 403, 429, 500])
    @pytest.mark.parametrize("code", ["invalid_grant", "bad_refresh_token"])
    def test_e11_whatever_the_status(self, account, server, status, code):
        server.script(Answer(status=status, json={"error": code}))

        assert isinstance(fail(account), ReauthRequired)

        assert (account.status, account.status_reason) == (
            "needs_reauth",
            "invalid_grant",
        )
        assert account.last_error == code
        assert kinds() == [("reauth_required", "invalid_grant")]
        assert not account.provider.is_paused()

    def test_one_dead_grant_of_atlassian_does_not_pause_all(self, account, server):
        said = {
            "error": "unauthorized_client",
            "error_description": "refresh_token is invalid",
        }
        server.script(Answer(status=403, json=said))

        assert isinstance(fail(account), ReauthRequired)

        assert account.status == "needs_reauth"
        assert not account.provider.is_paused()


class TestAnOutage:
    def test_each_pause_is_longer_up_to_a_minute(self, provider, caplog):
        found = []
        for _ in range(6):
            reactions.provider_unavailable(again(provider))
            reactions.provider_unavailable(again(provider))
            found.append(round(again(provider).seconds_paused(), -1))
            run_out(provider)

        assert found == [30, 60, 60, 60, 60, 60]
        assert kinds() == [("provider_paused", "unavailable")] * 6
        assert logged(caplog) == ["WARNING"] * 6

    def test_it_waits_at_least_as_long_as_it_is_asked_to(self, provider):
        reactions.provider_unavailable(provider, retry_after=1200)

        assert 1200 - NEAR < provider.seconds_paused() <= 1200

    def test_one_failure_of_a_closed_breaker_pauses_nobody(self, account, server):
        server.script(Answer(status=503, json={}))

        fail(account)

        assert not account.provider.is_paused()
        assert (account.failure_count, account.last_error) == (1, "server_error")

    @pytest.mark.parametrize(
        "answer",
        [
            Answer(status=503, json={}),
            Answer(status=502, body="<html>"),
            Answer(json={"error": "temporarily_unavailable"}),
            Answer(drop=True),
        ],
    )
    def test_a_trial_that_fails_opens_it_again_for_longer(
        self, account, server, answer
    ):
        half_open(account.provider, "unavailable")
        server.script(answer)

        fail(account)

        assert 60 - NEAR < account.provider.seconds_paused() <= 60
        assert account.provider.pause_count == 2

    def test_a_trial_that_cannot_connect_too(self, account, server):
        half_open(account.provider, "rate_limited")
        server.stop()

        assert fail(account).code == "unreachable"

        assert account.provider.is_paused()
        assert account.provider.pause_reason == "unavailable"


@pytest.mark.parametrize("ahead", [-600, 600])
@pytest.mark.parametrize("status", [429, 503])
def test_e21_a_wrong_clock_changes_no_back_off(
    make_account, server, monkeypatch, ahead, status
):
    """A clock that is slow would have the sweep ask again at once, and without end."""
    account = make_account(expires_in=300)
    wrong = timedelta(seconds=ahead)
    monkeypatch.setattr(clock, "utcnow", lambda: timezone.now() + wrong)
    server.script(Answer(status=status, json={}))

    fail(account)

    wait = (account.refresh_due_at - timezone.now()).total_seconds()
    assert 10 < wait < 100


class TestATrial:
    @pytest.mark.parametrize(
        "reason", ["unavailable", "rate_limited", "invalid_client"]
    )
    def test_a_success_closes_the_breaker(self, account, server, reason):
        half_open(account.provider, reason)

        account.refresh()

        assert again(account.provider).pause_reason == ""
        assert kinds()[-1] == ("provider_resumed", "answered")

    @pytest.mark.parametrize(
        "reason", ["unavailable", "rate_limited", "unauthorized_client"]
    )
    def test_so_does_a_dead_grant_for_the_client_was_known(
        self, account, server, reason
    ):
        half_open(account.provider, reason)
        server.script(Answer(status=400, json={"error": "invalid_grant"}))

        fail(account)

        assert account.provider.pause_reason == ""
        assert account.provider.pause_count == 0

    @pytest.mark.parametrize(
        ("reason", "closes"),
        [
            ("unavailable", True),
            ("rate_limited", True),
            ("invalid_client", False),
            ("unauthorized_client", False),
        ],
    )
    def test_a_refused_request_says_nothing_of_the_client(
        self, account, server, reason, closes
    ):
        half_open(account.provider, reason)
        server.script(Answer(status=400, json={"error": "invalid_scope"}))

        assert isinstance(fail(account), ProviderMisconfigured)

        assert (account.provider.pause_reason == "") is closes
        assert not account.provider.is_paused()

    @pytest.mark.parametrize(
        "answer", [Answer(body="{"), Answer(status=400, json={"error": "hm"})]
    )
    def test_an_answer_that_says_nothing_leaves_it_half_open(
        self, account, server, answer
    ):
        half_open(account.provider, "rate_limited")
        server.script(answer)

        assert isinstance(fail(account), ProviderUnavailable)

        assert account.provider.pause_reason != ""

    def test_a_closed_breaker_costs_a_success_nothing(
        self, provider, django_assert_num_queries
    ):
        provider = again(provider)

        with django_assert_num_queries(0):
            outages.succeeded(provider)
