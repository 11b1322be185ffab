"""
Fixtures for pytest with pytest-django. In the project's conftest.py:

    pytest_plugins = ["oauth_accounts.testing.fixtures"]

    def test_report(connected_account, fake_provider):
        assert connected_account.get_access_token()
        assert fake_provider.token_requests == []

No model is imported before Django is set up, so `-p` on the command line works too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model

from oauth_accounts.conf import conf
from oauth_accounts.testing.accounts import give_tokens
from oauth_accounts.testing.inline import refresh_inline
from oauth_accounts.testing.server import FakeProvider

if TYPE_CHECKING:
    from oauth_accounts.models import ConnectedAccount, Provider

__all__ = ["account_owner", "connected_account", "fake_provider"]

LIFETIME = 3600


class StoredFakeProvider(FakeProvider):
    """A fake provider that the database knows."""

    row: Provider
    """Its Provider, slug "fake"."""


@pytest.fixture
def fake_provider(db: None, settings: Any) -> Iterator[StoredFakeProvider]:
    """
    Run a provider on loopback, with its Provider as `fake_provider.row`.

    The test runs with DEBUG on, because it is plain http.
    """
    settings.DEBUG = True
    settings.OAUTH_ACCOUNTS_PRIVATE_HOSTS = [
        *conf.OAUTH_ACCOUNTS_PRIVATE_HOSTS,
        "127.0.0.1",
    ]
    rows = apps.get_model("oauth_accounts", "Provider")._default_manager
    with StoredFakeProvider() as provider, refresh_inline():
        provider.row = rows.create(slug="fake", **provider.as_provider_fields())
        yield provider


@pytest.fixture
def account_owner(db: None) -> Any:
    """
    Return whom `connected_account` belongs to; made to be overridden.

    By itself it is a new user, or nobody where the owner is not a user.
    """
    user_model = get_user_model()
    if apps.get_model(conf.OAUTH_ACCOUNTS_OWNER_MODEL) is not user_model:
        return None
    name = {user_model.USERNAME_FIELD: "account-owner"}
    return user_model._default_manager.create(**name)


@pytest.fixture
def connected_account(
    fake_provider: StoredFakeProvider, account_owner: Any
) -> ConnectedAccount:
    """Return an account at the fake provider, with tokens that it takes for an hour."""
    access_token, refresh_token = fake_provider.issue(expires_in=LIFETIME)
    account: ConnectedAccount = apps.get_model("oauth_accounts", "ConnectedAccount")(
        provider=fake_provider.row,
        owner=account_owner,
        uid=fake_provider.subject,
        requested_scopes=list(fake_provider.scopes),
    )
    give_tokens(
        account,
        access_token=access_token,
        refresh_token=refresh_token,
        expires_in=LIFETIME,
        scopes=fake_provider.scopes,
    )
    account.save()
    return account
