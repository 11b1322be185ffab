"""Connections that check whom they dial and cannot be kept busy beyond a deadline."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
from http import HTTPStatus
from time import monotonic
from typing import Any

from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, NewConnectionError

from oauth_accounts.exceptions import ProviderMisconfigured
from oauth_accounts.protocol.addresses import is_peer_allowed
from oauth_accounts.protocol.lookups import LOOKUP_SECONDS, resolve

# How many addresses of one name are tried: each may take the whole connect timeout.
MAX_ADDRESSES = 4
# What comes before the answer proper: "100 Continue", "103 Early Hints".
MAX_INTERIM = 20
# Of one answer, with headers, chunk sizes and trailers: the longest body, twice. Their
# number and length is limited by nobody else.
MAX_RECEIVED = 1_310_720


class _BoundedMixin:
    """
    Ends every wait for data at a deadline, and takes in so many bytes.

    A timeout alone starts again with each byte, so a server that drips its headers
    could hold a worker for hours.
    """

    deadline: float | None = None
    """On the monotonic clock; None = never."""
    allowance: int | None = None
    """Bytes that may still come; None = any number."""

    def recv_into(self: Any, *args: Any) -> int:
        self._hurry()
        received: int = super().recv_into(*args)  # type: ignore[misc]
        if self.allowance is not None:
            self.allowance -= received
            if self.allowance < 0:
                raise ConnectionError("too much for one answer")
        return received

    def send(self: Any, *args: Any, **kwargs: Any) -> int:
        self._hurry()
        sent: int = super().send(*args, **kwargs)  # type: ignore[misc]
        return sent

    def sendall(self: Any, *args: Any) -> None:
        self._hurry()
        super().sendall(*args)  # type: ignore[misc]

    def _hurry(self: Any) -> None:
        if self.deadline is not None:
            left = self.deadline - monotonic()
            if left <= 0:
                raise TimeoutError("deadline")
            self.settimeout(min(left, self.gettimeout() or left))


class BoundedSocket(_BoundedMixin, socket.socket):
    pass


class BoundedTLSSocket(_BoundedMixin, ssl.SSLSocket):
    pass


def tls_context() -> ssl.SSLContext:
    """
    Return a verifying context.

    Trusts the bundle of requests and what OpenSSL is told to trust, so a private
    authority is added with the environment variable SSL_CERT_FILE.
    """
    context = ssl.create_default_context()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    # Whatever the configuration of OpenSSL says.
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # SSLKEYLOGFILE would let whoever reads that file read the tokens.
    context.keylog_filename = None  # type: ignore[assignment]
    context.sslsocket_class = BoundedTLSSocket
    return context


class _CarefulResponse(http.client.HTTPResponse):
    """
    Passes over interim answers, and forgets about malformed headers.

    http.client takes any status of 1xx but 100 for that of the answer (RFC 9110 section
    15.2), and urllib3 would print malformed headers into its log.
    """

    def _read_status(self) -> tuple[str, int, str]:
        for _number in range(MAX_INTERIM):
            found: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]
            if found[1] >= HTTPStatus.OK:
                return found
            http.client.parse_headers(self.fp)
        raise http.client.BadStatusLine("too many interim answers")

    def begin(self) -> None:
        super().begin()
        self.msg.defects.clear()
        self.msg.set_payload("")


class _GuardedMixin(HTTPConnection):
    response_class = _CarefulResponse
    # Whoever switches it on for http.client has all requests printed, secrets and all.
    debuglevel = 0

    deadline: float | None = None
    """On the monotonic clock; None = unbounded."""
    idle_since = 0.0
    """When it was put back into the pool, on the monotonic clock."""
    address: str = ""

    def connect(self) -> None:
        """Dial, and wrap in TLS; every failure says that nothing was sent."""
        try:
            super().connect()
        except (OSError, HTTPError) as error:
            # urllib3 reports a handshake that times out or is cut like an answer that
            # does, which would make the outcome of the request look unknown.
            message = f"{type(error).__name__}: {error}"
            raise NewConnectionError(self, message) from None
        self._arm()

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:
            # A kept connection: the rules may have changed since it was dialled.
            _check_peers(self._dns_host, [self.address])
            self._arm()
        super().request(*args, **kwargs)

    def _arm(self) -> None:
        sock: Any = self.sock
        sock.deadline = self.deadline
        sock.allowance = None
        if self.deadline is not None:
            sock.allowance = MAX_RECEIVED
            # A kept one still has what the call before it had left.
            sock.settimeout(self.timeout)

    def _new_conn(self) -> socket.socket:
        infos = resolve(
            self._dns_host.strip("[]"), self.port or 0, self._left(LOOKUP_SECONDS)
        )
        # All of them: a name that also resolves to an internal address is a trap
        # (DNS rebinding), and the address dialled is the one that was checked.
        _check_peers(self._dns_host, [str(info[4][0]) for info in infos])
        error: OSError = OSError("no address")
        for family, kind, protocol, _, address in infos[:MAX_ADDRESSES]:
            try:
                sock = self._dial(family, kind, protocol, address)
            except OSError as failure:
                error = failure
            else:
                self.address = str(address[0])
                return sock
        raise error

    def _dial(
        self, family: int, kind: int, protocol: int, address: Any
    ) -> socket.socket:
        timeout = self._left(self.timeout)
        sock = BoundedSocket(family, kind, protocol)
        try:
            for option in self.socket_options or ():
                sock.setsockopt(*option)
            sock.settimeout(timeout)
            sock.connect(address)
            # A TLS handshake takes as long at most as the socket's timeout.
            sock.settimeout(self._left(self.timeout))
        except OSError:
            sock.close()
            raise
        return sock

    def _left(self, longest: Any) -> Any:
        """Return the seconds that something may take; None where nothing says."""
        if self.deadline is None:
            return longest
        left = self.deadline - monotonic()
        if left <= 0:
            raise TimeoutError("deadline")
        return min(left, longest or left)


class GuardedHTTPConnection(_GuardedMixin):
    pass


class GuardedHTTPSConnection(_GuardedMixin, HTTPSConnection):
    pass


def _check_peers(host: str, addresses: list[str]) -> None:
    name = host.strip("[]").lower()
    for address in addresses:
        # A scope id ("fe80::1%eth0") says which interface, not which network.
        if not is_peer_allowed(name, ipaddress.ip_address(address.partition("%")[0])):
            raise ProviderMisconfigured("address_refused")
