"""Whoever may change providers asks the form, again and again, what is stored."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.utils import timezone

from oauth_accounts.guidance import NOT_THE_STORED, TOO_MANY_GUESSES
from oauth_accounts.models import AccountEvent, ConnectedAccount, Provider
from oauth_accounts.moving import GUESSES_WINDOW, MAX_GUESSES
from oauth_accounts.testing.server import FakeProvider
from tests.admin.desk import Desk, errors, secret_of
from tests.admin.test_comparison import Comparing, offer
from tests.rows import again

MOVED = "https://attacker.example/"


@pytest.fixture
def desk(staff: Callable[..., Desk]) -> Desk:
    return staff("change_provider", "view_provider")


def guess(desk: Desk, provider: Provider, secret: str) -> list[str]:
    changes = {"api_base_url": MOVED, "new_client_secret": secret}
    response = desk.submit("provider_change", provider.pk, **changes, confirm_move="on")
    if "adminform" not in (response.context or {}):
        return []
    return errors(response).get("new_client_secret", [])


def guesses() -> list[AccountEvent]:
    return list(AccountEvent.objects.filter(kind="secret_refused"))


def test_attack_by_guessing_the_secret_is_seen_and_ends(
    desk: Desk, account: ConnectedAccount
) -> None:
    provider = account.provider
    right = secret_of(provider)
    for number in range(MAX_GUESSES):
        assert guess(desk, provider, f"a-guess-{number}") == [NOT_THE_STORED]
    for secret in ("a-guess-more", right):
        assert guess(desk, provider, secret) == [TOO_MANY_GUESSES]
    found = [(event.provider, event.reason, event.actor) for event in guesses()]
    assert found == [(provider, "client_secret", desk.user)] * MAX_GUESSES
    assert not [event for event in guesses() if "a-guess" in str(vars(event))]
    AccountEvent.objects.update(created_at=timezone.now() - GUESSES_WINDOW)
    guess(desk, provider, right)
    assert again(provider).api_base_url == MOVED


def test_attack_by_guessing_the_secret_beside_the_metadata(
    desk: Desk, account: ConnectedAccount, server: FakeProvider
) -> None:
    comparing = Comparing(desk, account.provider)
    offer(server, token_endpoint=f"{server.issuer}/another")
    page = comparing.ask()
    comparing.take(page, "token_endpoint", new_client_secret="a-guess")
    [event] = guesses()
    assert (event.reason, event.actor) == ("client_secret", desk.user)


def test_the_right_secret_is_no_guess(desk: Desk, account: ConnectedAccount) -> None:
    guess(desk, account.provider, secret_of(account.provider))
    assert again(account.provider).api_base_url == MOVED
    assert guesses() == []
