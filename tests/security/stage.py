"""
Where attacks are played: the users A and B, X without cookies, two servers, and REJECT.

    start   POST connect; the provider's address is the answer
    way back   what the provider sends the browser to: path and query of the callback
    reject   GET it, and hold the answer against all that a refusal has to be
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from django.contrib.auth import get_user_model
from django.db import connection
from django.http import HttpResponse

from oauth_accounts import callback
from oauth_accounts.models import (
    AccountEvent,
    AuthorizationAttempt,
    ConnectedAccount,
    Provider,
)
from oauth_accounts.testing.server import FakeProvider
from tests.views.browser import Browser, assert_protected, callback_url

# What the page does not tell apart, lest it says which states exist.
STATE_REASONS = {
    "expired",
    "other_browser",
    "other_provider",
    "provider_changed",
    "state_missing",
    "state_unknown_or_used",
}
# Short values turn up anywhere by chance.
TELLING_LENGTH = 8


def _plain(server: FakeProvider) -> dict[str, Any]:
    return {}


def _secret_in_the_form(server: FakeProvider) -> dict[str, Any]:
    server.token_endpoint_auth_method = "client_secret_post"
    return {}


def _public(server: FakeProvider) -> dict[str, Any]:
    server.token_endpoint_auth_method = "none"
    return {}


def _without_issuer(server: FakeProvider) -> dict[str, Any]:
    return {"issuer": "", "authorization_response_iss_parameter_supported": False}


def _openid(server: FakeProvider) -> dict[str, Any]:
    server.scopes = ("openid", *server.scopes)
    return {}


# The kinds of provider that the flow is attacked at: each sets a server up and returns
# fields of its row. Presets, once there are any, are more of them.
KINDS: dict[str, Callable[[FakeProvider], dict[str, Any]]] = {
    "plain": _plain,
    "secret in the form": _secret_in_the_form,
    "public client": _public,
    "without issuer": _without_issuer,
    "openid": _openid,
}


@dataclass(kw_only=True)
class Stage:
    """Two providers, as1 and as2, three browsers, and what may never be shown."""

    as1: FakeProvider
    as2: FakeProvider
    a: Browser
    """User A's browser."""
    b: Browser
    """User B's browser."""
    x: Browser
    """Logged in nowhere."""
    log: Callable[[], str]
    """Everything that was logged so far, at DEBUG."""

    def server(self, slug: str) -> FakeProvider:
        return {"as1": self.as1, "as2": self.as2}[slug]

    def user(self, name: str) -> Any:
        return get_user_model().objects.get(username=name)

    def second_browser(self, name: str) -> Browser:
        """Return another browser of a user, who is logged in there too."""
        return Browser(self.user(name), self.as1)

    # -- there and back ----------------------------------------------------------

    def consent(self, address: str, **how: Any) -> str:
        """Play the user at the provider's page; return path and query of the callback."""
        [server] = [
            one
            for one in (self.as1, self.as2)
            if address.startswith(one.authorization_endpoint)
        ]
        how = {"subject": server.subject, "deny": server.deny} | how
        return path_of(server.authorize(address, **how))

    def way_back(self, browser: Browser, slug: str = "as1", **data: Any) -> str:
        """Start in a browser, consent, and return the callback without going there."""
        return self.consent(browser.start(slug, **data))

    def connect(
        self, browser: Browser, slug: str = "as1", **how: Any
    ) -> ConnectedAccount:
        """Go all the way and return the account."""
        self.accept(browser, self.consent(browser.start(slug), **how))
        accounts = ConnectedAccount.objects.filter(provider__slug=slug)
        return accounts.get(uid=how.get("subject", self.server(slug).subject))

    def accept(self, browser: Browser, path: str) -> HttpResponse:
        """Go to a callback that is as it should be."""
        response = browser.get(path)
        assert response.status_code == 302, (path, response.content.decode())
        return response

    # -- REJECT ------------------------------------------------------------------

    def reject(
        self,
        browser: Browser,
        path: str,
        *,
        reason: str | None = None,
        status: int = 400,
        calls: int = 0,
    ) -> HttpResponse:
        """
        Go to a callback that has to be refused, and return the page.

        reason: of the one audit event; None for any. calls: to token endpoints.
        """
        before, events = self._books(), set(_events())
        response = browser.get(path)
        accounts, token_requests = self._books()
        assert response.status_code == status, (path, response.content.decode())
        assert accounts == before[0], path
        assert token_requests - before[1] == calls, path
        [event] = set(_events()) - events
        assert event.kind == AccountEvent.Kind.REJECTED, path
        assert event.reason == (reason or event.reason), path
        self._check_generic(response, path, event)
        check_burned(path)
        return response

    def _books(self) -> tuple[list[Any], int]:
        requests = [*self.as1.token_requests, *self.as2.token_requests]
        return account_rows(), len(requests)

    def _check_generic(
        self, response: HttpResponse, path: str, event: AccountEvent
    ) -> None:
        assert_protected(response)
        policy = response["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "Location" not in response
        page = response.content.decode()
        if event.reason in STATE_REASONS:
            assert "<code>invalid_state</code>" in page, path
        shown = f"{page} {response.headers} {vars(event)} {self.log()}"
        assert [value for value in self._hidden(path) if value in shown] == [], path

    def _hidden(self, path: str) -> list[str]:
        """Return what stood in the callback, and tokens; all that is not to be echoed."""
        pairs = parse_qsl(urlsplit(path).query, keep_blank_values=True)
        sent = [
            value
            for name, value in pairs
            if len(value) >= TELLING_LENGTH
            and name != "iss"
            and not (name == "error" and value in callback.DENIALS)
        ]
        grants = [*self.as1.grants, *self.as2.grants]
        tokens = [one for g in grants for one in (*g.access_tokens, *g.refresh_tokens)]
        return [*sent, *tokens]

    def secrets(self) -> set[str]:
        """Return every token, code verifier and client secret so far."""
        found: set[str] = set()
        for server in (self.as1, self.as2):
            found.add(server.client_secret)
            for grant in server.grants:
                found.update(grant.access_tokens, grant.refresh_tokens)
            for request in server.token_requests:
                found.add(request.form.get("code_verifier", server.client_secret))
        return found


def _events() -> list[AccountEvent]:
    return list(AccountEvent.objects.select_related("account", "provider", "actor"))


def account_rows() -> list[Any]:
    """Return the table of accounts as it lies in the database, byte for byte."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM oauth_accounts_connectedaccount ORDER BY id")
        return [
            tuple(bytes(v) if isinstance(v, memoryview) else v for v in row)
            for row in cursor.fetchall()
        ]


def check_burned(path: str) -> None:
    """Fail when the attempt that the state of a callback belongs to is still open."""
    states = parse_qs(urlsplit(path).query).get("state", [""])
    hashed = callback.hash_value(states[-1])
    matched = AuthorizationAttempt.objects.filter(state_hash=hashed)
    assert not matched.filter(consumed_at=None).exists(), path


def path_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def changed(path: str, **changes: str | list[str] | None) -> str:
    """Return a callback or an address with other parameters; None takes one away."""
    base, _, query = path.partition("?")
    kept = [pair for pair in parse_qsl(query, True) if pair[0] not in changes]
    for name, value in changes.items():
        values = [] if value is None else [value] if isinstance(value, str) else value
        kept += [(name, one) for one in values]
    return f"{base}?{urlencode(kept)}"


def parameter(path: str, name: str) -> str:
    [value] = parse_qs(urlsplit(path).query)[name]
    return value


def elsewhere(path: str, slug: str) -> str:
    """Return the same query at the callback of another provider."""
    return f"{callback_url(slug)}?{urlsplit(path).query}"


def provider_row(server: FakeProvider, slug: str, kind: str) -> Provider:
    """Make the row of a server that is of some kind."""
    changes = KINDS[kind](server)
    fields = {**server.as_provider_fields(), "name": f"Provider {slug}", **changes}
    return Provider.objects.create(slug=slug, **fields)
