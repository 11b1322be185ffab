"""A provider on loopback, its row, and people with browsers."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model

from oauth_accounts.models import ConnectedAccount, Provider
from oauth_accounts.testing.factories import ConnectedAccountFactory
from oauth_accounts.testing.server import FakeProvider
from tests.views.browser import ACCESS, REFRESH, Browser


@pytest.fixture
def user(transactional_db: None) -> Any:
    return get_user_model().objects.create_user("anna")


@pytest.fixture
def other_user(transactional_db: None) -> Any:
    return get_user_model().objects.create_user("bert")


@pytest.fixture
def browser(user: Any, server: FakeProvider) -> Browser:
    """Anna's browser."""
    return Browser(user, server)


@pytest.fixture
def stranger(transactional_db: None, server: FakeProvider) -> Browser:
    """A browser that is not logged in."""
    return Browser(None, server)


@pytest.fixture
def account(provider: Provider, user: Any) -> ConnectedAccount:
    """Anna's account, with tokens that the server never gave."""
    return ConnectedAccountFactory(
        provider=provider,
        owner=user,
        uid="alice",
        label="alice@provider.example",
        access_token=ACCESS,
        refresh_token=REFRESH,
    )
