"""
What is fuzzed, and what must hold whatever the bytes.

Each target takes any bytes and raises nothing; AssertionError stands for a broken promise. The
suite runs them with hypothesis, `make fuzz` with atheris.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import requests
import urllib3.util
from django.test import RequestFactory

from oauth_accounts.callback import take_parameters
from oauth_accounts.exceptions import AuthorizationError, OAuthAccountsError
from oauth_accounts.identity import read_identity
from oauth_accounts.protocol import transport
from oauth_accounts.protocol.answers import (
    Answer,
    error_member,
    failure_of,
    parse_retry_after,
    read_object,
)
from oauth_accounts.protocol.claims import unverified_claims
from oauth_accounts.protocol.connections import BoundedSocket, GuardedHTTPConnection
from oauth_accounts.protocol.tokens import MAX_LIFETIME, parse_token_answer
from oauth_accounts.protocol.transport import BoundedSession, call, check_url
from tests.fuzz.openid import id_token_bytes, id_token_claims, keys, metadata
from tests.fuzz.outcomes import outcome

NOW = datetime(2026, 1, 2, tzinfo=UTC)
STATUSES = (200, 200, 200, 400, 401, 403, 429, 500, 204, 302)
SEPARATORS = (" ", ",", "+", "\n", "")


def token_answer(data: bytes) -> None:
    """Read the answer of a token endpoint; the first two bytes choose how."""
    choice, body = (*data[:2], 0, 0), data[2:]
    status = STATUSES[choice[0] % len(STATUSES)]
    found = Answer(status=status, body=body, sent_at=NOW)
    for of_tokens in (False, True):
        failure = failure_of(found, of_tokens=of_tokens)
        assert (failure is None) <= (status == 200)
        # What an error may show of a provider is a short code.
        code = failure.provider_code if failure else None
        assert code is None or (
            len(code) <= 64 and code.isascii() and code.isprintable()
        )
    said = error_member(found)
    assert said is None or isinstance(said, str)
    separator = SEPARATORS[choice[1] % len(SEPARATORS)]
    tokens = parse_token_answer(body, issued_at=NOW, scope_separator=separator)
    assert tokens.usable == (tokens.access_token is not None)
    if tokens.access_token is not None:
        assert tokens.token_type == "Bearer"
        # It is put into a header.
        assert tokens.access_token.get_value().isprintable()
    for secret in (tokens.refresh_token, tokens.id_token, tokens.raw_body):
        assert secret is None or secret.get_value().encode()
    assert tokens.expires_in is None or 0 <= tokens.expires_in <= MAX_LIFETIME
    assert all(scope.isascii() for scope in tokens.scopes or ())
    assert isinstance(unverified_claims(tokens.id_token), dict)


def userinfo_answer(data: bytes) -> None:
    """Find out who it is; the first byte chooses where that stands."""
    path = ("sub", "id", "data.id", "data.user.id")[sum(data[:1]) % 4]
    profile = read_object(data[1:], strict=True)
    if profile is None:
        return
    try:
        found = read_identity(profile, uid_path=path, label_path="name")
    except AuthorizationError:
        return
    for text in (found.uid, found.label, *found.profile.values()):
        assert len(text) <= 255
        assert text.isprintable()
        assert text.encode("utf-8", "replace").decode() == text
    assert found.uid


def url(data: bytes) -> None:
    """Read an address: what is let through means the same to every parser."""
    text = data.decode("utf-8", "surrogateescape")
    refusal = outcome(check_url, text, allow_query=True)
    if refusal is not None:
        assert refusal.code == "url_refused"
        return
    parts, other = urlsplit(text), urllib3.util.parse_url(text)
    prepared = requests.Request("GET", text).prepare().url or ""
    dialled = urlsplit(prepared)
    hosts = {parts.hostname, (other.host or "").strip("[]"), dialled.hostname}
    assert len(hosts) == 1
    assert (parts.port or 443) == (other.port or 443) == (dialled.port or 443)
    assert "@" not in parts.netloc
    assert other.auth is None
    assert not parts.fragment
    assert dialled.scheme == parts.scheme.lower()
    # Nothing that a browser would drop or turn round.
    assert text.isascii()
    assert text.isprintable()
    assert not set(text) & set(' \\<>"^`{|}')


def retry_after(data: bytes) -> None:
    """Read when to come back, from two headers."""
    value, _, date = data.decode("latin-1").partition("\n")
    seconds = parse_retry_after(value, date or None)
    assert seconds is None or 1 <= seconds <= 86_400


def callback_query(data: bytes) -> None:
    """Take what a browser brings back; nothing of it stays on the request."""
    request = RequestFactory().get("/callback/")
    request.META["QUERY_STRING"] = data.decode("latin-1")
    found = take_parameters(request)
    assert not request.GET
    assert request.META["QUERY_STRING"] == ""
    for secret in (found.state, found.code):
        assert secret is None or isinstance(secret.get_value(), str)
    if found.state is not None:
        assert found.state.get_value().isascii()
    if found.code is not None and not found.malformed:
        assert found.code.get_value().isprintable()
    assert found.error is None or len(found.error) <= 64


def http_answer(data: bytes) -> None:
    """Let a server send any bytes: an answer within its limits, or an error of ours."""
    with _served(data):
        session = BoundedSession()
        request = requests.Request("POST", "http://127.0.0.1:1/token", data="a=b")
        found = outcome(call, session, request)
    assert not session.cookies
    if isinstance(found, OAuthAccountsError):
        assert found.code == "outcome_unknown"
        assert found.__context__ is None
    else:
        assert 200 <= found.status <= 999
        assert len(found.body) <= transport.MAX_BODY


@contextlib.contextmanager
def _served(data: bytes) -> Iterator[None]:
    """Have the next connection answered so, without a server."""
    ours, theirs = socket.socketpair()
    theirs.sendall(data[:100_000])
    theirs.shutdown(socket.SHUT_WR)

    def dial(connection: Any, *args: Any) -> BoundedSocket:
        return BoundedSocket(fileno=ours.detach())

    with ours, theirs, mock.patch.object(GuardedHTTPConnection, "_dial", dial):
        try:
            yield
        finally:
            transport.guarded_adapter(bounded=True).close()


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (
        token_answer,
        userinfo_answer,
        url,
        retry_after,
        callback_query,
        http_answer,
        id_token_bytes,
        id_token_claims,
        metadata,
        keys,
    )
}
