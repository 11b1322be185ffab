"""The benchmarks' authorisation server answers as a real one would."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from benchmarks.stub import first_refresh_token
from oauth_accounts.fields import Secret
from oauth_accounts.protocol.client import OAuth2Client
from oauth_accounts.protocol.client_config import ClientConfig


@pytest.fixture(scope="module")
def port(project_root: Path) -> Iterator[int]:
    """The port of a stub server that is as strict as it can be."""
    child = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.stub", "--detect-reuse"],
        cwd=project_root,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    with child:
        yield int(child.stdout.readline())
        child.terminate()


@pytest.fixture
def connection(port: int) -> Iterator[HTTPConnection]:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    yield connection
    connection.close()


def post(connection: HTTPConnection, path: str, **form: str) -> tuple[int, Any]:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", path, urlencode(form), headers)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def refresh(
    connection: HTTPConnection, token: str, path: str = "/token"
) -> tuple[int, Any]:
    return post(connection, path, grant_type="refresh_token", refresh_token=token)


def test_rotates_refresh_tokens_on_a_kept_connection(
    connection: HTTPConnection,
) -> None:
    token, access = first_refresh_token("rotating"), set()
    for _ in range(3):
        status, answer = refresh(connection, token)
        assert status == 200
        assert answer["refresh_token"] != token
        assert answer["expires_in"] == 3600
        token = answer["refresh_token"]
        access.add(answer["access_token"])
    assert len(access) == 3


def test_refuses_a_spent_refresh_token_and_counts_it(
    connection: HTTPConnection,
) -> None:
    token = first_refresh_token("spent")
    refresh(connection, token)
    assert refresh(connection, token) == (400, {"error": "invalid_grant"})
    connection.request("GET", "/stats")
    assert json.loads(connection.getresponse().read())["replays"] == 1


def test_issues_tokens_for_a_code_and_knows_their_subject(
    connection: HTTPConnection,
) -> None:
    status, answer = post(
        connection, "/token", grant_type="authorization_code", code="code-somebody"
    )
    assert status == 200
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    connection.request("GET", "/userinfo", headers=headers)
    assert json.loads(connection.getresponse().read())["sub"] == "somebody"
    assert refresh(connection, answer["refresh_token"])[0] == 200


def test_refuses_other_grants_and_unknown_tokens(connection: HTTPConnection) -> None:
    status, answer = post(connection, "/token", grant_type="password")
    assert (status, answer["error"]) == (400, "unsupported_grant_type")
    assert refresh(connection, "made-up")[0] == 400


def test_delays_the_request_whose_path_says_so(connection: HTTPConnection) -> None:
    started = time.monotonic()
    status, _ = refresh(connection, first_refresh_token("slow"), "/150/token")
    assert status == 200
    assert time.monotonic() - started >= 0.15


def test_speaks_to_the_client_of_this_app(port: int) -> None:
    url = f"http://127.0.0.1:{port}"
    client = OAuth2Client(
        ClientConfig(
            client_id="benchmarks",
            client_secret=Secret("made-up"),
            token_endpoint_auth_method="client_secret_basic",
            authorization_endpoint=f"{url}/authorize",
            token_endpoint=f"{url}/token",
        )
    )
    tokens = client.refresh(Secret(first_refresh_token("ours")))
    assert tokens.usable
    assert tokens.expires_in == 3600
    assert client.refresh(tokens.refresh_token).usable
