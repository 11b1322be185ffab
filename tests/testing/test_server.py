"""The fake provider as a server: life, records, scripts, many clients at once."""

from __future__ import annotations

import http.client
import multiprocessing
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import requests

from oauth_accounts.models import Provider
from oauth_accounts.testing.server import Answer, FakeProvider
from tests.testing.oauth_client import Client, call_api

THREADS = 20
PROCESSES = 4


class TestLife:
    def test_stop_frees_the_port_and_ends_kept_connections(self):
        provider = FakeProvider().start()
        client = Client(provider)
        assert client.get(provider.issuer).status_code == 404
        port = urlsplit(provider.issuer).port
        begin = time.monotonic()
        provider.stop()
        assert time.monotonic() - begin < 2
        with pytest.raises(requests.ConnectionError):
            client.get(provider.issuer)
        assert not [
            thread for thread in threading.enumerate() if str(port) in thread.name
        ]
        with FakeProvider(port) as again:
            assert again.issuer == provider.issuer
        client.http.close()

    def test_stop_twice_is_harmless(self, provider):
        provider.stop()
        provider.stop()

    def test_connection_is_kept_alive(self, provider):
        address = urlsplit(provider.issuer)
        connection = http.client.HTTPConnection(
            address.hostname, address.port, timeout=10
        )
        for _ in range(3):
            connection.request("GET", "/other")
            first = getattr(self, "socket", connection.sock)
            connection.getresponse().read()
            assert connection.sock is first is not None
            self.socket = first
        connection.close()

    def test_client_that_goes_away_is_no_error(self, provider):
        address = urlsplit(provider.issuer)
        arrived = threading.Event()
        provider.script(
            Answer(body=b"x" * 10_000_000, delay=0.2, after=lambda _: arrived.set()),
            endpoint="unknown",
        )
        provider.script(lambda _: arrived.set(), endpoint="unknown")
        with socket.create_connection((address.hostname, address.port)) as connection:
            # RST instead of FIN: the server's write fails.
            linger = (1).to_bytes(4, sys.byteorder) + (0).to_bytes(4, sys.byteorder)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            connection.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
            deadline = time.monotonic() + 5
            while not provider.requests and time.monotonic() < deadline:
                time.sleep(0.01)
        time.sleep(0.3)
        assert not arrived.is_set()
        provider.stop()

    def test_exception_in_a_hook_surfaces_at_stop(self):
        provider = FakeProvider().start()
        client = Client(provider)

        def fail(request):
            raise LookupError("from the hook")

        provider.on_token_request = fail
        with pytest.raises(requests.ConnectionError):
            client.refresh("rt-x")
        with pytest.raises(LookupError, match="from the hook"):
            provider.stop()
        client.http.close()


class TestRecords:
    def test_requests_are_recorded_as_sent(self, provider, client):
        client.get(f"{provider.issuer}/other?a=1&a=2")
        client.refresh("rt-x")
        client.http.post(f"{provider.api_base_url}x", json={"a": 1}, timeout=10)
        other, token, api = provider.requests
        assert (other.method, other.path, other.query) == ("GET", "/other", {"a": "2"})
        assert other.query_pairs == [("a", "1"), ("a", "2")]
        assert token.form == {"grant_type": "refresh_token", "refresh_token": "rt-x"}
        assert token.headers["authorization"].startswith("Basic ")
        assert (api.form, api.body) == ({}, b'{"a": 1}')
        assert provider.token_requests == [token]

    def test_repr_of_a_request_holds_no_body_and_no_header(self, provider, client):
        client.refresh("rt-x")
        text = repr(provider.requests)
        assert "rt-x" not in text
        assert "Basic" not in text

    def test_chunked_bodies_are_read(self, provider, client):
        access, _ = provider.issue()
        response = client.http.post(
            f"{provider.api_base_url}x",
            data=iter([b"one ", b"two"]),
            headers={"Authorization": f"Bearer {access}"},
            timeout=10,
        )
        assert response.json()["body"] == "one two"

    def test_provider_fields_are_complete(self, provider):
        fields = provider.as_provider_fields()
        assert fields["client_secret"] == provider.client_secret
        assert fields["scopes"] == ["read", "write"]
        for name in ("issuer", "token_endpoint", "userinfo_endpoint", "api_base_url"):
            assert fields[name].startswith("http://127.0.0.1:")

    def test_public_client_has_no_secret_to_store(self, provider):
        provider.token_endpoint_auth_method = "none"
        fields = provider.as_provider_fields()
        assert fields["token_endpoint_auth_method"] == "none"
        assert fields["client_secret"] is None

    @pytest.mark.parametrize("method", ["client_secret_basic", "none"])
    def test_provider_fields_make_a_valid_row(self, provider, method):
        provider.token_endpoint_auth_method = method
        row = Provider(slug="fake", **provider.as_provider_fields())
        row.full_clean(validate_unique=False, validate_constraints=False)


class TestScript:
    def test_answers_are_used_up_in_order(self, provider, client):
        _, refresh = provider.issue()
        provider.script(
            Answer(status=503, json={"a": 1}, headers={"Retry-After": "7"}),
            Answer(status=502, body="<h1>Bad gateway</h1>"),
            Answer(body=b"{}", headers={"content-type": "application/json"}),
            lambda request: None,
        )
        first, second, third = (client.refresh(refresh) for _ in range(3))
        assert (first.status_code, first.json()) == (503, {"a": 1})
        assert first.headers["Retry-After"] == "7"
        assert second.headers["Content-Type"] == "text/html; charset=utf-8"
        assert third.headers["Content-Type"] == "application/json"
        assert provider.is_live(refresh)
        assert client.refresh(refresh).status_code == 200

    def test_other_endpoints_have_queues_of_their_own(self, provider, client):
        provider.script(Answer(status=500), endpoint="userinfo")
        _, refresh = provider.issue()
        assert client.refresh(refresh).status_code == 200
        assert client.get(provider.userinfo_endpoint).status_code == 500
        assert client.get(provider.userinfo_endpoint).status_code == 401

    def test_drop_closes_without_an_answer_and_without_effect(self, provider, client):
        _, refresh = provider.issue()
        provider.script(Answer(drop=True))
        with pytest.raises(requests.ConnectionError):
            client.refresh(refresh)
        assert len(provider.token_requests) == 1
        assert provider.is_live(refresh)

    def test_lost_answer_has_had_its_effect(self, provider, client):
        _, refresh = provider.issue()
        provider.lose_answer()
        with pytest.raises(requests.ConnectionError):
            client.refresh(refresh)
        assert not provider.is_live(refresh)
        assert provider.is_live(provider.grants[0].refresh_tokens[-1])

    def test_delay_outlasts_a_client_and_not_the_stop(self, provider, client):
        provider.script(Answer(delay=60))
        with pytest.raises(requests.ReadTimeout):
            client.http.post(provider.token_endpoint, timeout=0.2)
        begin = time.monotonic()
        provider.stop()
        assert time.monotonic() - begin < 5

    def test_after_runs_when_the_answer_is_gone(self, provider, client):
        seen, done = [], threading.Event()

        def note(request):
            seen.append(request.path)
            done.set()

        provider.script(Answer(json=1, after=note), endpoint="api")
        assert client.get(f"{provider.api_base_url}x").json() == 1
        assert done.wait(5)
        assert seen == ["/api/x"]

    def test_hook_runs_before_the_answer_is_made(self, provider, client):
        _, refresh = provider.issue()
        alive = []
        provider.on_token_request = lambda request: alive.append(
            provider.is_live(refresh)
        )
        assert client.refresh(refresh).status_code == 200
        assert alive == [True]

    def test_head_has_no_body(self, provider, client):
        response = client.http.head(provider.issuer, timeout=10)
        assert (response.status_code, response.content) == (404, b"")
        assert int(response.headers["Content-Length"]) > 0


class TestManyAtOnce:
    def test_one_of_twenty_refreshes_wins(self, provider):
        _, refresh = provider.issue()
        ready = threading.Barrier(THREADS)

        def ask(_):
            client = Client(provider)
            ready.wait()
            status = client.refresh(refresh).status_code
            client.http.close()
            return status

        with ThreadPoolExecutor(THREADS) as pool:
            answers = sorted(pool.map(ask, range(THREADS)))
        assert answers == [200] + [400] * (THREADS - 1)
        assert provider.replays == THREADS - 1

    def test_threads_and_processes_are_all_served(self, provider):
        access, _ = provider.issue()
        job = (f"{provider.api_base_url}x", access, 10)
        spawn = multiprocessing.get_context("spawn")
        with ThreadPoolExecutor(THREADS) as threads, spawn.Pool(PROCESSES) as processes:
            far = processes.starmap_async(call_api, [job] * PROCESSES)
            near = list(threads.map(lambda _: call_api(*job), range(THREADS)))
            assert near == [[200] * 10] * THREADS
            assert far.get(timeout=60) == [[200] * 10] * PROCESSES
            processes.close()
            processes.join()
        assert len(provider.requests) == (THREADS + PROCESSES) * 10
