"""D13: a provider that hangs, or is paused, and a web server with so many threads."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import WSGIRequestHandler, WSGIServer

from oauth_accounts import turnstile
from oauth_accounts.models import AuthorizationAttempt, ConnectedAccount, Provider
from oauth_accounts.testing.server import FakeProvider
from tests.views.browser import Browser, assert_protected, connect_url, list_url

pytestmark = pytest.mark.faces

THREADS = 16
USERS = 50


class _SilentHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class Site(WSGIServer):
    """The site behind a web server of THREADS threads."""

    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _SilentHandler)
        self.set_app(WSGIHandler())
        self.pool = ThreadPoolExecutor(THREADS)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.pool.submit(self._serve, request, client_address)

    def _serve(self, request: Any, client_address: Any) -> None:
        with contextlib.suppress(OSError):
            self.finish_request(request, client_address)
        self.shutdown_request(request)

    def get(self, browser: Browser, path: str) -> http.client.HTTPResponse:
        """Load a page with the cookies of a browser, over a connection of its own."""
        cookies = browser.client.cookies.items()
        header = "; ".join(f"{name}={morsel.value}" for name, morsel in cookies)
        connection = http.client.HTTPConnection("127.0.0.1", self.server_port, 120)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Cookie": header})
            response = connection.getresponse()
            response.read()
        return response


@pytest.fixture
def site(transactional_db: None) -> Iterator[Site]:
    with Site() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()
        running.pool.shutdown()


@pytest.fixture
def browsers(server: FakeProvider, provider: Provider) -> list[Browser]:
    users = get_user_model().objects
    return [
        Browser(users.create_user(f"user-{number}"), server) for number in range(USERS)
    ]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def done(pending: list[Future[Any]]) -> list[Any]:
    return [one.result() for one in pending if one.done()]


def test_d13_fifty_callbacks_of_a_provider_that_hangs_leave_room_for_others(
    site: Site, browsers: list[Browser], server: FakeProvider, settings: Any
) -> None:
    settings.OAUTH_ACCOUNTS_HTTP_TIMEOUT = 30
    release = threading.Event()
    server.on_token_request = lambda request: release.wait(60)
    callbacks = [browser.consent(browser.start()) for browser in browsers]
    limit = 8  # of the setting's default; half of the threads

    with ThreadPoolExecutor(USERS) as pool:
        pending = [
            pool.submit(site.get, *pair)
            for pair in zip(browsers, callbacks, strict=True)
        ]
        wait_until(lambda: len(done(pending)) == USERS - limit)
        # All of these hang now, and the site answers.
        wait_until(lambda: len(server.token_requests) == limit)
        for browser in browsers[:THREADS]:
            assert site.get(browser, list_url()).status == 200
        assert len(done(pending)) == USERS - limit

        turned_away = done(pending)
        assert {response.status for response in turned_away} == {503}
        assert all(int(response.headers["Retry-After"]) for response in turned_away)
        assert all("no-store" in one.headers["Cache-Control"] for one in turned_away)
        open_attempts = AuthorizationAttempt.objects.filter(consumed_at=None)
        assert open_attempts.count() == USERS - limit

        # The provider recovers: those that waited are connected, the others come again.
        release.set()
        statuses = [one.result().status for one in pending]
        assert sorted(statuses) == [302] * limit + [503] * (USERS - limit)
        again = [
            pool.submit(site.get, *pair)
            for *pair, status in zip(browsers, callbacks, statuses, strict=True)
            if status == 503
        ]
        assert {one.result().status for one in again} == {302}
    assert ConnectedAccount.objects.count() == USERS
    assert turnstile._inside == {}


class TestPaused:
    def test_d13_a_callback_fails_fast_and_can_be_loaded_again(
        self, browser: Browser, provider: Provider, server: FakeProvider
    ) -> None:
        path = browser.consent(browser.start())
        provider.pause(600, "unavailable")

        for _number in range(2):
            response = browser.get(path)
            assert response.status_code == 503
            assert 1 < int(response["Retry-After"]) <= 601
            assert_protected(response)
            assert b"Load this page again" in response.content
        assert server.token_requests == []
        assert AuthorizationAttempt.objects.get().consumed_at is None

        provider.resume()
        assert browser.get(path).status_code == 302
        assert browser.get(path).status_code == 400
        assert ConnectedAccount.objects.count() == 1

    def test_d13_nobody_is_sent_to_a_provider_that_is_paused(
        self, browser: Browser, provider: Provider
    ) -> None:
        provider.pause(600, "unavailable")
        response = browser.post(connect_url(provider.slug))
        assert response.status_code == 503
        assert "Location" not in response
        assert not AuthorizationAttempt.objects.exists()

    def test_d14_a_pause_is_told_only_to_whoever_has_the_state(
        self, browser: Browser, provider: Provider
    ) -> None:
        path = browser.consent(browser.start())
        provider.pause(600, "unavailable")
        state = AuthorizationAttempt.objects.get().state_hash
        response = browser.get(path.partition("?")[0], state="x" * 43, code="y")
        assert response.status_code == 400
        assert state not in response.content.decode()

    def test_once_the_pause_is_over_callbacks_go_on(
        self, browser: Browser, provider: Provider
    ) -> None:
        path = browser.consent(browser.start())
        provider.pause(0, "unavailable")
        assert browser.get(path).status_code == 302
