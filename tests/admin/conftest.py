"""Staff with permissions, and clients of the admin that obey CSRF."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User

from oauth_accounts.models import ConnectedAccount, Provider
from oauth_accounts.testing.factories import ConnectedAccountFactory
from tests.admin.desk import ACCESS, REFRESH, Desk


@pytest.fixture
def owner(transactional_db: None) -> User:
    return User.objects.create_user("anna")


@pytest.fixture
def account(provider: Provider, owner: User) -> ConnectedAccount:
    return ConnectedAccountFactory(
        provider=provider,
        owner=owner,
        uid="alice",
        label="alice@provider.example",
        access_token=ACCESS,
        refresh_token=REFRESH,
    )


@pytest.fixture
def admin(transactional_db: None) -> Desk:
    return Desk(User.objects.create_superuser("root"))


@pytest.fixture
def staff(transactional_db: None) -> Callable[..., Desk]:
    """Make a desk for somebody with the permissions named."""

    def make(*codenames: str) -> Desk:
        user = User.objects.create_user("staff", is_staff=True)
        found: Any = Permission.objects.filter(codename__in=codenames)
        assert found.count() == len(codenames)
        user.user_permissions.set(found)
        return Desk(user)

    return make
