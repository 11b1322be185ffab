"""Made-up callbacks in numbers: each is refused, and not each fills a row."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models import F

from oauth_accounts import rejections
from oauth_accounts.models import AccountEvent
from tests.security.stage import Stage, changed
from tests.views.browser import callback_url

NUMBER = rejections.MAX_STRAYS


def made_up(number: int) -> str:
    return f"{callback_url('as1')}?state={number:043}&code=made-up"


def reasons() -> list[str]:
    return list(AccountEvent.objects.values_list("reason", flat=True))


@pytest.fixture
def flooded(stage: Stage) -> Stage:
    for number in range(NUMBER + 10):
        assert stage.x.get(made_up(number)).status_code == 400
    return stage


def test_a_flood_is_recorded_as_such(flooded: Stage) -> None:
    assert reasons().count("state_unknown_or_used") == NUMBER
    assert reasons().count("many_rejected") == 1
    assert len(reasons()) == NUMBER + 1
    marker = AccountEvent.objects.get(reason="many_rejected")
    assert (marker.kind, marker.provider.slug) == ("rejected", "as1")


def test_other_reasons_and_real_attempts_are_recorded_meanwhile(flooded: Stage) -> None:
    flooded.reject(flooded.a, f"{callback_url('as1')}?code=c", reason="state_missing")
    path = flooded.way_back(flooded.a)
    flooded.reject(flooded.b, path, reason="other_browser")
    path = changed(flooded.way_back(flooded.a), iss="https://other.example")
    flooded.reject(flooded.a, path, reason="issuer_mismatch")


def test_a_minute_later_the_next_are_recorded(flooded: Stage) -> None:
    window = rejections.STRAYS_WINDOW
    AccountEvent.objects.update(created_at=F("created_at") - window)
    flooded.reject(flooded.x, made_up(0), reason="state_unknown_or_used")


def test_two_floods_have_one_marker(flooded: Stage) -> None:
    for _again in range(NUMBER + 2):
        flooded.x.get(callback_url("as1"))
    assert reasons().count("state_missing") == NUMBER
    assert reasons().count("many_rejected") == 1


def test_the_flow_goes_on_in_a_flood(flooded: Stage) -> None:
    assert flooded.connect(flooded.a).status == "active"


def test_a_flood_costs_few_queries(
    flooded: Stage, django_assert_max_num_queries: Any
) -> None:
    # The burn, what was recorded in the last minute, and what the page asks for.
    with django_assert_max_num_queries(5):
        flooded.x.get(made_up(0))
