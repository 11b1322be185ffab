"""
A fake OAuth 2.0 provider that speaks real HTTP on loopback and does as it is told.

    with FakeProvider() as provider:
        Provider.objects.create(slug="fake", **provider.as_provider_fields())
        callback = provider.authorize(authorization_url)

By itself it behaves like a strict provider: PKCE, rotation of refresh tokens with replay
detection, revocation, client authentication, and ID tokens for clients that ask for `openid`.
`script()` makes it fail in any way, `id_tokens` makes tokens wrong in any way.
It needs neither Django nor a database; `python -m oauth_accounts.testing.server` runs it
in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from oauth_accounts.testing.endpoints import Endpoint, OAuthServer, endpoint_of
from oauth_accounts.testing.wire import Answer, LoopbackServer, RecordedRequest

__all__ = ["Answer", "FakeProvider", "RecordedRequest", "Scripted"]

Scripted = Answer | Callable[[RecordedRequest], Answer | None]


class FakeProvider(OAuthServer):
    """
    An authorization server and API on 127.0.0.1, for use from any thread or process.

    port: TCP port; 0 takes a free one.
    """

    on_token_request: Callable[[RecordedRequest], object] | None = None
    """Called between receiving and answering a token request; may block or use a database."""

    def __init__(self, port: int = 0) -> None:
        super().__init__()
        self._port = port
        self._http: LoopbackServer | None = None
        self._lock = threading.Lock()
        self._requests: list[RecordedRequest] = []
        self._scripts: dict[Endpoint, deque[Scripted]] = {}

    # -- life --------------------------------------------------------------------

    def start(self) -> Self:
        """Listen, and answer in threads of its own."""
        self._http = LoopbackServer(self._answer, self._port)
        self.issuer = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(
            target=self._http.serve_forever,
            kwargs={"poll_interval": 0.02},
            name=f"fake provider {self.issuer}",
            daemon=True,
        ).start()
        return self

    def stop(self) -> None:
        """
        End every connection and free the port; the records stay readable.

        Raises the first exception that a hook or a script has raised meanwhile.
        """
        http, self._http = self._http, None
        if http is not None:
            http.stop()
            for error in http.errors:
                raise error

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    # -- what tests look at ------------------------------------------------------

    @property
    def requests(self) -> list[RecordedRequest]:
        """Every request received, in order."""
        with self._lock:
            return list(self._requests)

    @property
    def token_requests(self) -> list[RecordedRequest]:
        """The requests to the token endpoint, in order."""
        return [one for one in self.requests if endpoint_of(one) == "token"]

    def as_provider_fields(self) -> dict[str, Any]:
        """Return values for the fields of a Provider row; the secret is a plain str."""
        public = self.token_endpoint_auth_method == "none"
        return {
            "name": "Fake provider",
            "issuer": self.issuer,
            "client_id": self.client_id,
            "client_secret": None if public else self.client_secret,
            "token_endpoint_auth_method": self.token_endpoint_auth_method,
            "authorization_endpoint": self.authorization_endpoint,
            "token_endpoint": self.token_endpoint,
            "revocation_endpoint": self.revocation_endpoint,
            "userinfo_endpoint": self.userinfo_endpoint,
            "jwks_uri": self.jwks_uri,
            "api_base_url": self.api_base_url,
            "scopes": list(self.scopes),
            "authorization_response_iss_parameter_supported": True,
        }

    # -- telling it what to do ---------------------------------------------------

    def script(self, *answers: Scripted, endpoint: Endpoint = "token") -> None:
        """
        Queue answers for the next requests to an endpoint; then all is normal again.

        answers: each an Answer, or a callable that takes the request and returns one,
            or None for the normal behaviour. It may call `respond` and change the result.
        """
        with self._lock:
            self._scripts.setdefault(endpoint, deque()).extend(answers)

    def lose_answer(self, endpoint: Endpoint = "token") -> None:
        """Let the next request have its effect, and the client never hear of it."""
        self.script(
            lambda request: replace(self.respond(request), drop=True), endpoint=endpoint
        )

    def _answer(self, request: RecordedRequest) -> Answer:
        endpoint = endpoint_of(request)
        with self._lock:
            self._requests.append(request)
            queue = self._scripts.get(endpoint)
            scripted = queue.popleft() if queue else None
        if endpoint == "token" and self.on_token_request is not None:
            self.on_token_request(request)
        answer = scripted(request) if callable(scripted) else scripted
        return self.respond(request) if answer is None else answer


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM; print the address, then the Provider fields as JSON."""
    options = _parser().parse_args(arguments)
    # Blocked before the threads begin, so that they leave the signals to sigwait().
    ends = {signal.SIGINT, signal.SIGTERM}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    try:
        with FakeProvider(options.port) as provider:
            provider.client_id = options.client_id or provider.client_id
            provider.client_secret = options.client_secret or provider.client_secret
            provider.expires_in = options.expires_in
            provider.rotate = not options.no_rotate
            fields = json.dumps(provider.as_provider_fields())
            sys.stdout.write(f"{provider.issuer}\n{fields}\n")
            sys.stdout.flush()
            signal.sigwait(ends)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m oauth_accounts.testing.server", description=main.__doc__
    )
    add = parser.add_argument
    add("--port", type=int, default=0, help="TCP port; 0 takes a free one")
    add("--client-id", metavar="ID", help="new each time unless it is given")
    add("--client-secret", metavar="SECRET", help="likewise; made up, for tests only")
    add("--expires-in", type=_seconds, default=3600, metavar="SECONDS")
    add("--no-rotate", action="store_true")
    return parser


def _seconds(text: str) -> float:
    """Return a number that is whole where it was written so: 60, but 2.5."""
    value = float(text)
    return int(value) if value.is_integer() else value


if __name__ == "__main__":
    main()
