from __future__ import annotations

import pytest

from oauth_accounts.testing.server import FakeProvider
from tests.testing.oauth_client import Client


@pytest.fixture
def provider():
    with FakeProvider() as running:
        yield running


@pytest.fixture
def client(provider):
    talker = Client(provider)
    yield talker
    talker.http.close()
