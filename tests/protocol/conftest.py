from __future__ import annotations

from collections.abc import Iterator

import pytest

from oauth_accounts.protocol import transport
from oauth_accounts.protocol.client import OAuth2Client
from tests.protocol.calls import client_of
from tests.protocol.servers import TOKENS, ScriptedServer, answer


@pytest.fixture(autouse=True)
def _loopback_is_allowed(settings) -> None:
    settings.DEBUG = True
    settings.OAUTH_ACCOUNTS_PRIVATE_HOSTS = []


@pytest.fixture
def connections() -> Iterator[None]:
    """Close what the test left open."""
    yield
    for bounded in (True, False):
        transport.guarded_adapter(bounded=bounded).close()


@pytest.fixture
def server(connections) -> Iterator[ScriptedServer]:
    with ScriptedServer(answer(200, TOKENS)) as running:
        yield running


@pytest.fixture
def client(server) -> OAuth2Client:
    return client_of(server.url)


@pytest.fixture
def short(settings) -> float:
    """Total seconds a call may take, made short."""
    settings.OAUTH_ACCOUNTS_HTTP_TIMEOUT = 0.5
    return 0.5
