"""
The only door to the network.

Everything this app sends goes through a GuardAdapter: https with verified certificates
(http on loopback while DEBUG is on), no redirects, no cookies, no netrc, no proxies, and
only to peers that are public or listed. Its own calls are `bounded` on top: one total
deadline and a limit on the size of the answer.
"""

from __future__ import annotations

import logging
import os
from http.cookiejar import DefaultCookiePolicy
from time import monotonic
from typing import Any, ClassVar

import requests
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError

from oauth_accounts.clock import utcnow
from oauth_accounts.conf import conf
from oauth_accounts.exceptions import (
    OAuthAccountsError,
    ProviderMisconfigured,
    ProviderUnavailable,
)
from oauth_accounts.protocol.addresses import check_url
from oauth_accounts.protocol.answers import Answer, parse_retry_after
from oauth_accounts.protocol.connections import (
    GuardedHTTPConnection,
    GuardedHTTPSConnection,
    tls_context,
)

__all__ = ["GuardAdapter", "GuardedSession", "call", "check_url", "guarded_adapter"]

MAX_BODY = 262_144
CONNECT_TIMEOUT = 3.0
READ_TIMEOUT = 10.0
# A request that is sent on a connection which the server is just closing is lost, and
# must not be repeated: it may hold a one-time code or token. Common servers close an
# idle connection after 5 s or more, so a younger one is alive.
MAX_IDLE = 4.0
POOLED_HOSTS = 100
POOLED_CONNECTIONS = 64

# What the libraries below raise about an answer. ValueError: http.client takes a chunk of
# a negative size for a number.
FAILURES = (requests.RequestException, HTTPError, OSError, ValueError)

logger = logging.getLogger(__name__)


class _GuardedPool(HTTPConnectionPool):
    """Arms the deadline of each request and drops connections that may be stale."""

    bounded = True

    def _get_conn(self, timeout: float | None = None) -> Any:
        connection: Any = super()._get_conn(timeout)
        if monotonic() - connection.idle_since > MAX_IDLE:
            connection.close()
        total = conf.OAUTH_ACCOUNTS_HTTP_TIMEOUT
        connection.deadline = monotonic() + total if self.bounded else None
        return connection

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.idle_since = monotonic()
        super()._put_conn(conn)


class _GuardedHTTPPool(_GuardedPool):
    ConnectionCls = GuardedHTTPConnection


class _GuardedHTTPSPool(_GuardedPool, HTTPSConnectionPool):
    ConnectionCls = GuardedHTTPSConnection


class AnswerRefused(requests.RequestException):
    """The answer is larger, or encoded otherwise, than a bounded call accepts."""


class GuardAdapter(HTTPAdapter):
    """
    Thread-safe pools of guarded connections, for any number of sessions.

    bounded: whether one deadline and a size limit hold for each call.
    """

    def __init__(self, *, bounded: bool) -> None:
        self.bounded = bounded
        super().__init__(POOLED_HOSTS, POOLED_CONNECTIONS)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=tls_context(), **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _GuardedHTTPPool,
            "https": _GuardedHTTPSPool,
        }

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        pool.bounded = self.bounded
        return pool

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the TLS context of all connections verifies already."""

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        *args: Any,
        max_body: int = MAX_BODY,
        **kwargs: Any,
    ) -> requests.Response:
        """
        Send once, or refuse before anything is sent.

        max_body: bytes that a bounded answer may have.
        `verify`, `cert` and `proxies` are ignored: there is no way around the guard.
        """
        check_url((request.url or "").partition("#")[0], allow_query=True)
        if self.bounded:
            # Compressed answers could be small to read and large to hold.
            request.headers["Accept-Encoding"] = "identity"
            stream, timeout = True, (CONNECT_TIMEOUT, READ_TIMEOUT)
        elif timeout is None:
            timeout = (CONNECT_TIMEOUT, conf.OAUTH_ACCOUNTS_HTTP_TIMEOUT)
        response = super().send(request, stream=stream, timeout=timeout)
        if self.bounded:
            _read_bounded(response, max_body)
        return response


def _read_bounded(response: requests.Response, limit: int) -> None:
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    try:
        if encoding not in ("", "identity"):
            raise AnswerRefused("encoded answer")
        body = b""
        # To the end: only the read that finds nothing notices that something is missing.
        while part := response.raw.read(limit + 1, decode_content=False):
            body += part
            if len(body) > limit:
                raise AnswerRefused("answer too large")
        # requests offers no other way to hand over a body that was read with a limit.
        response._content = body
        response._content_consumed = True  # type: ignore[attr-defined]
    finally:
        # Returns the connection, or closes it when the answer was not read to the end.
        response.close()


_adapters: dict[tuple[bool, int], GuardAdapter] = {}


def guarded_adapter(*, bounded: bool) -> GuardAdapter:
    """Return the adapter of this process; its connections are shared and kept alive."""
    # By process: two processes must not talk through one inherited socket.
    return _adapter_of(bounded, os.getpid())


def _adapter_of(bounded: bool, pid: int) -> GuardAdapter:
    adapter = _adapters.get((bounded, pid))
    if adapter is None:
        # Threads that come first at the same time all make one; all use the same. A lock
        # could be held by another thread while the process forks.
        adapter = _adapters.setdefault((bounded, pid), GuardAdapter(bounded=bounded))
    return adapter


class GuardedSession(requests.Session):
    """
    A requests session whose every request goes through the guard.

    Subclasses set `bounded`. Redirects are returned, not followed.
    Raises ProviderMisconfigured "url_refused" or "address_refused" before anything is
    sent, and requests' own exceptions otherwise.
    """

    bounded: ClassVar[bool] = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.trust_env = False
        self.headers["User-Agent"] = "django-oauth-accounts"
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def get_adapter(self, url: str | bytes) -> GuardAdapter:
        # Asked for at each request, so that a session survives a fork.
        return guarded_adapter(bounded=self.bounded)

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None

    def send(
        self, request: requests.PreparedRequest, **kwargs: Any
    ) -> requests.Response:
        try:
            return super().send(request, **kwargs)
        except OAuthAccountsError as error:
            refusal = type(error)(error.code)
        # Raised here, without the frames below: their locals hold headers and body.
        raise refusal

    def close(self) -> None:
        """Do nothing: the connections belong to the process."""


class BoundedSession(GuardedSession):
    """The session of this app's own calls."""

    bounded = True


def call(
    session: BoundedSession, request: requests.Request, *, max_body: int = MAX_BODY
) -> Answer:
    """
    Send a request once and return the complete answer, whatever its status.

    session: carries defaults; nothing of the call is kept on it.
    max_body: bytes that the answer may have; a larger one counts as none.
    Raises ProviderUnavailable: "unreachable" when nothing was sent, "outcome_unknown"
    when something was and no complete answer came. ProviderMisconfigured:
    "url_refused", "address_refused", "request_refused".
    """
    outcome = _attempt(session, request, max_body)
    if isinstance(outcome, Answer):
        return outcome
    # A new error, raised outside of any handler: the original one drags along frames
    # of requests and urllib3 whose locals are the secrets.
    raise outcome


def _attempt(
    session: BoundedSession, request: requests.Request, max_body: int
) -> Answer | OAuthAccountsError:
    try:
        prepared = session.prepare_request(request)
    except ValueError:
        return ProviderMisconfigured("request_refused")
    sent_at = utcnow()
    try:
        response = session.send(prepared, max_body=max_body)
    except OAuthAccountsError as error:
        return type(error)(error.code)
    except FAILURES as error:
        return _failure_to_answer(error)
    return Answer(
        status=response.status_code,
        body=response.content,
        sent_at=sent_at,
        retry_after=parse_retry_after(
            response.headers.get("Retry-After"), response.headers.get("Date")
        ),
    )


def _failure_to_answer(error: Exception) -> ProviderUnavailable:
    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else None
    if isinstance(reason, NewConnectionError):
        # Host, port and the system's words only: nothing has been sent yet.
        logger.warning("Cannot connect to a provider: %s", reason)
        return ProviderUnavailable("unreachable")
    return ProviderUnavailable("outcome_unknown")
