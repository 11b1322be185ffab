"""A question about many accounts: how many it concerns, and who is passed over, and why."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oauth_accounts import clock
from oauth_accounts.admin import actions, foresight
from oauth_accounts.models import ConnectedAccount, Provider
from oauth_accounts.testing.factories import ConnectedAccountFactory
from tests.admin.desk import Desk
from tests.rows import alter


def asked(desk: Desk, action: str, *accounts: ConnectedAccount) -> str:
    """Return the words of the question."""
    response = desk.act(action, *accounts)
    page = BeautifulSoup(response.content, "html.parser")
    return " ".join(page.find("div", id="content").get_text(" ").split())


@pytest.fixture
def pair(provider: Provider) -> list[ConnectedAccount]:
    return [ConnectedAccountFactory(provider=provider) for _number in range(2)]


def test_one_account_is_spoken_of_as_one(
    admin: Desk, pair: list[ConnectedAccount]
) -> None:
    one, two = (
        asked(admin, "revoke_selected", pair[0]),
        asked(admin, "revoke_selected", *pair),
    )
    assert "It stops working at once, its tokens are deleted here" in one
    assert "They stop working at once, their tokens are deleted here" in two


def test_what_has_no_refresh_token(admin: Desk, pair: list[ConnectedAccount]) -> None:
    pair[0].stored_row().update(refresh_token=None)
    text = asked(admin, "refresh_now", *pair)
    assert "This concerns 1 account." in text
    assert "1 is passed over, because it has no refresh token." in text
    assert text.count("passed over: It has no refresh token") == 1
    # It is no obstacle to anything else.
    assert "passed over" not in asked(admin, "disable_selected", *pair)


def test_what_does_not_open(admin: Desk, pair: list[ConnectedAccount]) -> None:
    pair[0].stored_row().update(key_id="0badcafe")
    text = asked(admin, "refresh_now", *pair)
    assert "1 is passed over, because its token does not open with the keys" in text
    assert "This concerns 2 accounts." in asked(admin, "disable_selected", *pair)


def test_more_than_a_few_are_left_to_the_workers(
    admin: Desk, pair: list[ConnectedAccount], monkeypatch: Any
) -> None:
    """Also when one of them is passed over: the order is as long as the selection."""
    monkeypatch.setattr(actions, "MAX_NOW", 1)
    pair[0].stored_row().update(refresh_token=None)
    assert "left to the workers" in asked(admin, "refresh_now", *pair)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"enabled": False}, "because their provider is disabled"),
        (
            {"paused_until": timedelta(hours=1), "pause_reason": "unavailable"},
            "because calls to their provider are paused",
        ),
        (
            {"revocation_endpoint": "https://evil.example/"},
            "because their provider's addresses are in doubt",
        ),
    ],
)
def test_what_its_provider_stands_against(
    admin: Desk,
    provider: Provider,
    pair: list[ConnectedAccount],
    state: dict[str, Any],
    said: str,
) -> None:
    now = clock.utcnow()
    alter(
        provider,
        **{k: now + v if isinstance(v, timedelta) else v for k, v in state.items()},
    )
    text = asked(admin, "refresh_now", *pair)
    assert "There is nothing to do." in text
    assert f"2 are passed over, {said}" in text
    # Its page leads to the question, which says why.
    page = admin.page("connectedaccount_change", pair[0].pk)
    assert page.find("a", href=lambda href: href and href.endswith("/act/refresh/"))


def test_the_sweep_waits_for_a_provider_that_is_paused(
    admin: Desk, provider: Provider, pair: list[ConnectedAccount], monkeypatch: Any
) -> None:
    alter(
        provider,
        paused_until=clock.utcnow() + timedelta(hours=1),
        pause_reason="unavailable",
    )
    monkeypatch.setattr(actions, "MAX_NOW", 1)
    assert "This concerns 2 accounts." in asked(admin, "refresh_now", *pair)


def test_two_queries_whatever_the_number(
    admin: Desk, provider: Provider, pair: list[ConnectedAccount]
) -> None:
    for _number in range(5):
        ConnectedAccountFactory(provider=provider)
    with CaptureQueriesContext(connection) as queries:
        outlook = foresight.foresee(
            "refresh", ConnectedAccount.objects.all(), most_now=9
        )
    assert (outlook.total, outlook.concerned) == (7, 7)
    assert len(queries) == 2
