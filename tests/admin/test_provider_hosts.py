"""Addresses that an administrator may not enter: those that would not be called."""

from __future__ import annotations

from typing import Any

import pytest

from oauth_accounts.models import Provider
from tests.admin.desk import Desk, errors, form_data
from tests.admin.test_provider import NEW
from tests.protocol.test_addresses import REFUSED

pytestmark = pytest.mark.faces

ADDRESSES = (
    "authorization_endpoint",
    "token_endpoint",
    "revocation_endpoint",
    "userinfo_endpoint",
    "api_base_url",
)


@pytest.fixture
def add(admin: Desk) -> Any:
    """Send the form of a new provider; the page is opened once."""
    form = form_data(admin.page("provider_add").find("form", id="provider_form"))

    def send(**changes: str) -> list[str]:
        response = admin.post("provider_add", **form | NEW | changes)
        return sorted(errors(response)) if response.context.get("adminform") else []

    return send


def test_d2_b27_what_would_not_be_called_cannot_be_entered(
    add: Any, settings: Any
) -> None:
    settings.OAUTH_ACCOUNTS_PRIVATE_HOSTS = []
    # The form takes blanks and line breaks at the ends away.
    refused = [url for url in REFUSED if url and url.strip() == url]
    assert len(refused) > 60
    let_through = [url for url in refused if add(token_endpoint=url) == []]
    assert let_through == []
    assert not Provider.objects.exists()


@pytest.mark.parametrize("name", ADDRESSES)
def test_d2_every_address_is_looked_at(add: Any, name: str) -> None:
    assert add(**{name: "https://user@forge.example/"}) == [name]


def test_d6_a8_5_hosts_that_are_not_on_the_list(add: Any, settings: Any) -> None:
    settings.OAUTH_ACCOUNTS_ALLOWED_HOSTS = ["forge.example"]
    for name in ADDRESSES:
        assert add(**{name: "https://evil.example/"}) == [name]
    assert add() == []
    assert Provider.objects.get().token_endpoint == NEW["token_endpoint"]


def test_b28_a_long_address_is_refused_quickly(add: Any) -> None:
    for url in ("https://" + "a" * 100_000, "https://" + "a." * 50_000):
        assert add(token_endpoint=url) == ["token_endpoint"]
