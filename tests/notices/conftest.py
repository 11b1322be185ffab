"""A mail server, notices that are on, and owners who have an address."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import django
import pytest
from django.contrib.auth.models import User

from oauth_accounts import clock
from oauth_accounts.conf import NOTICES
from oauth_accounts.models import ConnectedAccount, Notice, Provider
from oauth_accounts.testing.factories import ConnectedAccountFactory, ProviderFactory
from tests.notices.mailbox import Mailbox

SMTP = "django.core.mail.backends.smtp.EmailBackend"


@pytest.fixture
def mailbox(settings: Any) -> Iterator[Mailbox]:
    """A mail server that Django sends to."""
    found = Mailbox()
    if django.VERSION >= (6, 1):
        options = {"host": "127.0.0.1", "port": found.port}
        settings.MAILERS = {"default": {"BACKEND": SMTP, "OPTIONS": options}}
    else:
        settings.EMAIL_BACKEND = SMTP
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", found.port
    found.start()
    yield found
    found.stop()


@pytest.fixture
def notices_on(settings: Any) -> None:
    settings.OAUTH_ACCOUNTS_NOTICES = list(NOTICES)
    settings.OAUTH_ACCOUNTS_BASE_URL = "https://www.example.com"


@pytest.fixture
def owner(transactional_db: None) -> User:
    return User.objects.create_user("ada", email="ada@example.com")


@pytest.fixture
def github(transactional_db: None) -> Provider:
    return ProviderFactory(slug="github", name="GitHub")


@pytest.fixture
def account(github: Provider, owner: User) -> ConnectedAccount:
    return ConnectedAccountFactory(
        provider=github, owner=owner, connected_by=owner, uid="1", label="ada-l"
    )


def make_due(rows: Any = None) -> None:
    """Let time pass: what was postponed is due, and what was claimed is not held."""
    now = clock.utcnow() - timedelta(seconds=1)
    rows = Notice.objects.filter(status="waiting") if rows is None else rows
    rows.update(due_at=now, lease_until=now)
