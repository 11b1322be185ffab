"""The circuit breaker of a provider, on the real database and with the real clock."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from oauth_accounts import clock
from oauth_accounts.clock import DatabaseNow
from oauth_accounts.models import AccountEvent, Provider
from oauth_accounts.testing.factories import ProviderFactory
from tests.engine.races import race
from tests.rows import again

NEAR = 2.0


@pytest.fixture
def provider(db):
    return ProviderFactory()


def run_out(provider: Provider, name: str = "paused_until") -> Provider:
    """Let the pause, or the trial call, be over; return the row as it is now."""
    past = DatabaseNow() - timedelta(seconds=1)
    Provider.objects.filter(pk=provider.pk).update(**{name: past})
    return again(provider)


def kinds() -> list[str]:
    return list(
        AccountEvent.objects.order_by("created_at").values_list("kind", flat=True)
    )


class TestOpening:
    def test_once_with_one_event(self, provider):
        other = again(provider)

        assert provider.pause(60, "invalid_client")
        assert not other.pause(60, "invalid_client")

        found = again(provider)
        assert found.is_paused()
        assert (found.pause_reason, found.pause_count) == ("invalid_client", 1)
        event = AccountEvent.objects.get()
        assert (event.kind, event.reason) == ("provider_paused", "invalid_client")
        assert event.provider == provider

    def test_the_instance_knows(self, provider):
        provider.pause(60, "rate_limited")

        assert provider.pause_reason == "rate_limited"
        assert 60 - NEAR < provider.seconds_paused() <= 60
        assert (provider.is_paused(), provider.is_half_open()) == (True, False)

    def test_so_does_one_that_came_second(self, provider):
        other = again(provider)
        provider.pause(60, "rate_limited")

        other.pause(30, "rate_limited")

        assert other.pause_reason == "rate_limited"
        assert 60 - NEAR < other.seconds_paused() <= 60

    def test_twenty_at_once_open_it_once(self, transactional_db):
        provider = ProviderFactory()

        opened = race(lambda: again(provider).pause(60, "rate_limited"))

        assert opened.count(True) == 1
        assert again(provider).pause_count == 1
        assert kinds() == ["provider_paused"]

    def test_a_longer_wait_that_is_asked_for_meanwhile_is_kept(self, provider):
        provider.pause(60, "rate_limited")

        assert not provider.pause(600, "rate_limited")
        assert not provider.pause(5, "rate_limited")

        found = again(provider)
        assert 600 - NEAR < found.seconds_paused() <= 600
        assert (found.pause_count, kinds()) == (1, ["provider_paused"])

    def test_a_worse_reason_is_told(self, provider):
        provider.pause(60, "rate_limited")

        assert provider.pause(900, "invalid_client")

        assert again(provider).pause_reason == "invalid_client"
        assert (again(provider).pause_count, len(kinds())) == (1, 2)

    def test_a_lighter_reason_hides_none(self, provider):
        provider.pause(900, "invalid_client")

        assert not provider.pause(60, "rate_limited")

        assert again(provider).pause_reason == "invalid_client"

    def test_no_pause_is_longer_than_a_day(self, provider):
        provider.pause(10**9, "rate_limited")

        assert 86_400 - NEAR < provider.seconds_paused() <= 86_400
        assert not again(provider).pause(10**9, "rate_limited")
        assert provider.seconds_paused() <= 86_400


class TestPausesInARow:
    def lengths(self, provider, seconds, **options):
        for _ in range(7):
            provider.pause(seconds, "unavailable", **options)
            yield round(again(provider).seconds_paused(), -1)
            run_out(provider)

    def test_each_is_twice_as_long(self, provider):
        assert list(self.lengths(provider, 30)) == [30, 60, 120, 240, 480, 900, 900]
        assert again(provider).pause_count == 7

    def test_up_to_the_longest(self, provider):
        found = list(self.lengths(provider, 30, longest=300))

        assert found == [30, 60, 120, 240, 300, 300, 300]

    def test_what_the_provider_asks_for_is_the_least(self, provider):
        assert list(self.lengths(provider, 3600)) == [3600] * 7

    def test_a_success_between_ends_the_row(self, provider):
        provider.pause(30, "unavailable")
        assert run_out(provider).proved()

        provider.pause(30, "unavailable")

        assert 30 - NEAR < again(provider).seconds_paused() <= 30


class TestHalfOpen:
    def test_after_the_pause_and_before_a_success(self, provider):
        assert not provider.is_half_open()
        provider.pause(60, "rate_limited")

        found = run_out(provider)

        assert (found.is_paused(), found.is_half_open()) == (False, True)
        assert found.seconds_paused() == 0

    def test_one_of_twenty_may_try(self, transactional_db):
        provider = ProviderFactory()
        provider.pause(60, "rate_limited")
        run_out(provider)

        won = race(lambda: again(provider).take_probe())

        assert won.count(True) == 1

    def test_nobody_may_try_while_it_is_open_or_closed(self, provider):
        assert not provider.take_probe()
        provider.pause(60, "rate_limited")
        assert not provider.take_probe()

    def test_a_trial_runs_out_when_its_holder_dies(self, provider):
        provider.pause(60, "rate_limited")
        run_out(provider)
        assert provider.take_probe()
        left = again(provider).probe_until - timezone.now()
        assert timedelta(seconds=20) < left < timedelta(seconds=31)
        assert not again(provider).take_probe()

        run_out(provider, "probe_until")

        assert again(provider).take_probe()

    def test_a_trial_that_fails_opens_it_again_for_longer(self, provider):
        provider.pause(30, "unavailable")
        run_out(provider).take_probe()

        assert again(provider).pause(30, "unavailable")

        found = again(provider)
        assert 60 - NEAR < found.seconds_paused() <= 60
        assert (found.pause_count, found.probe_until) == (2, None)
        assert kinds() == ["provider_paused", "provider_paused"]

    def test_a_trial_that_succeeds_closes_it(self, provider):
        provider.pause(30, "unavailable")
        found = run_out(provider)
        found.take_probe()

        assert found.proved()

        for row in (found, again(provider)):
            assert (row.paused_until, row.pause_reason) == (None, "")
            assert (row.pause_count, row.probe_until) == (0, None)
        assert kinds() == ["provider_paused", "provider_resumed"]
        assert AccountEvent.objects.get(kind="provider_resumed").reason == "answered"

    def test_twenty_successes_close_it_once(self, transactional_db):
        provider = ProviderFactory()
        provider.pause(30, "unavailable")
        run_out(provider)

        closed = race(lambda: again(provider).proved())

        assert closed.count(True) == 1
        assert kinds().count("provider_resumed") == 1

    def test_an_answer_to_an_earlier_call_does_not_close_an_open_one(self, provider):
        provider.pause(30, "rate_limited")

        assert not provider.proved()

        assert again(provider).is_paused()

    def test_closed_stays_closed_without_an_event(self, provider):
        assert not provider.proved()
        assert kinds() == []


class TestByHand:
    def test_it_is_closed_with_the_actors_name(self, provider):
        actor = User.objects.create_user("ada")
        provider.pause(60, "invalid_client")

        assert provider.resume(actor)
        assert not again(provider).resume(actor)

        for row in (provider, again(provider)):
            assert not row.is_paused()
            assert (row.pause_reason, row.pause_count) == ("", 0)
        event = AccountEvent.objects.get(kind="provider_resumed")
        assert (event.actor, event.reason) == (actor, "by_admin")

    def test_a_half_open_one_too(self, provider):
        provider.pause(60, "invalid_client")

        assert run_out(provider).resume()

        assert not again(provider).is_half_open()


class TestClocks:
    """Two workers whose clocks are ten minutes apart see the same breaker."""

    @pytest.fixture(params=[-600, 600])
    def wrong_clock(self, request, monkeypatch):
        def ahead():
            return timezone.now() + timedelta(seconds=request.param)

        monkeypatch.setattr(clock, "utcnow", ahead)

    def test_they_agree(self, provider, wrong_clock):
        provider.pause(60, "rate_limited")
        assert again(provider).is_paused()
        assert 60 - NEAR < again(provider).seconds_paused() <= 60
        assert not again(provider).take_probe()
        assert list(Provider.objects.callable_now()) == []

        found = run_out(provider)

        assert not found.is_paused()
        assert list(Provider.objects.callable_now()) == [provider]
        assert found.take_probe()
        assert list(Provider.objects.callable_now()) == []
        assert found.proved()
        assert list(Provider.objects.callable_now()) == [provider]


class TestCost:
    def test_a_closed_one_costs_no_query(self, provider, django_assert_num_queries):
        found = again(provider)

        with django_assert_num_queries(0):
            assert not found.is_paused()
            assert not found.is_half_open()
            assert found.seconds_paused() == 0

    def test_those_that_can_be_called(self, provider):
        ProviderFactory(slug="disabled", enabled=False)
        ProviderFactory(slug="paused").pause(60, "rate_limited")
        half_open = ProviderFactory(slug="half-open")
        half_open.pause(60, "rate_limited")
        run_out(half_open)

        found = Provider.objects.callable_now().values_list("slug", flat=True)

        assert set(found) == {provider.slug, "half-open"}
        assert Provider.objects.enabled().count() == 3


def test_a_provider_that_is_gone_is_not_paused(provider):
    provider.pause(60, "rate_limited")
    Provider.objects.all().delete()

    assert not provider.is_paused()
    assert not provider.pause(60, "rate_limited")
