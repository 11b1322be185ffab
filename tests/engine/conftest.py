"""A fake provider on loopback, its row, and accounts with grants that live there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User

from oauth_accounts import clock
from oauth_accounts.fields import Secret
from oauth_accounts.models import ConnectedAccount, Provider
from oauth_accounts.protocol.tokens import TokenSet
from oauth_accounts.testing.server import FakeProvider

AccountMaker = Callable[..., ConnectedAccount]


@pytest.fixture
def owner(transactional_db: None) -> User:
    """A user who owns accounts."""
    return User.objects.create_user("ada")


@pytest.fixture
def make_account(provider: Provider, server: FakeProvider, owner: User) -> AccountMaker:
    """Make an account with a live grant; `expires_in` seconds from now, default: expired."""

    def make(uid: str = "alice", expires_in: float | None = -10, **values: Any) -> Any:
        access_token, refresh_token = server.issue(subject=uid)
        account = ConnectedAccount(
            **{"provider": provider, "owner": owner, "uid": uid, **values}
        )
        life = 3600
        tokens = TokenSet(
            issued_at=clock.utcnow() - timedelta(seconds=life - (expires_in or 0)),
            access_token=Secret(access_token),
            refresh_token=Secret(refresh_token),
            token_type="Bearer",
            expires_in=None if expires_in is None else life,
        )
        for name, value in {**account.token_values(tokens), **values}.items():
            setattr(account, name, value)
        account.save()
        return account

    return make


@pytest.fixture
def account(make_account: AccountMaker) -> ConnectedAccount:
    """An account whose access token has expired."""
    return make_account()
