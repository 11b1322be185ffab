"""What the user's pages have in common: headers, the browser's cookie, safe paths, cards."""

from __future__ import annotations

import contextlib
import logging
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url
from django.template import loader
from django.template.backends.django import Template
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils.cache import add_never_cache_headers
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from oauth_accounts import reasons
from oauth_accounts.conf import conf
from oauth_accounts.exceptions import (
    AccountInUse,
    IdentityMismatch,
    InvalidState,
    OAuthAccountsError,
    ProviderUnavailable,
    TokenError,
)
from oauth_accounts.fields import Secret
from oauth_accounts.models import ConnectedAccount, PendingRevocation

logger = logging.getLogger("oauth_accounts")

STYLESHEET = "oauth_accounts/oauth_accounts.css"
OWN_BASE = "oauth_accounts/bare.html"

# What `secrets.token_urlsafe(32)` makes; anything else was not set by this app.
_BROWSER = re.compile(r"[A-Za-z0-9_-]{43}\Z")
MAX_PATH = 2000


STATUS_BY_CODE = {
    "account_unknown": HTTPStatus.NOT_FOUND,
    "base_url_missing": HTTPStatus.SERVICE_UNAVAILABLE,
    "other_owner": HTTPStatus.FORBIDDEN,
    "other_user": HTTPStatus.FORBIDDEN,
    "owner_missing": HTTPStatus.FORBIDDEN,
    "provider_disabled": HTTPStatus.SERVICE_UNAVAILABLE,
    "provider_incomplete": HTTPStatus.SERVICE_UNAVAILABLE,
    "provider_unknown": HTTPStatus.NOT_FOUND,
    "user_inactive": HTTPStatus.FORBIDDEN,
}
STATUS_BY_CLASS = (
    ((AccountInUse, IdentityMismatch), HTTPStatus.CONFLICT),
    ((ProviderUnavailable, ImproperlyConfigured), HTTPStatus.SERVICE_UNAVAILABLE),
    (TokenError, HTTPStatus.BAD_GATEWAY),
)


class Refusal(OAuthAccountsError):
    """The request asks for something that is not there or not allowed."""


class ProviderRedirect(HttpResponseRedirect):
    """A redirect to a provider, whose address holds the state: no report quotes it."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


def protect(response: HttpResponseBase, referrer_policy: str) -> HttpResponseBase:
    """
    Forbid caching, framing and leaking of the address.

    referrer_policy: "no-referrer" where the address may hold a code. Not on pages with
        forms: browsers then send "Origin: null", which fails Django's CSRF check.
    """
    add_never_cache_headers(response)
    response["Referrer-Policy"] = referrer_policy
    response["X-Frame-Options"] = "DENY"
    return response


def restrict(response: HttpResponseBase) -> None:
    """
    Let an own page load its stylesheet and nothing else.

    There is no form-action: browsers apply it to redirects too, and connecting is a form
    whose answer redirects to the provider.
    """
    parts = urlsplit(static(STYLESHEET))
    own = f"'self' {parts.scheme}://{parts.netloc}" if parts.netloc else "'self'"
    response["Content-Security-Policy"] = (
        f"default-src 'none'; style-src {own}; img-src {own} data:; "
        "base-uri 'none'; frame-ancestors 'none'"
    )


def base_template() -> str:
    """Return the project's base.html when there is one, else the app's own."""
    found: Any = loader.select_template(["base.html", OWN_BASE])
    # A template of another engine (Jinja2) cannot be extended from here.
    return str(found.template.name) if isinstance(found, Template) else OWN_BASE


def safe_path(value: str) -> str:
    """
    Return the value when it is a local path that a browser cannot take for more, else "".

    Browsers drop tabs and line breaks inside URLs and read a backslash as a slash, which
    `url_has_allowed_host_and_scheme` alone lets pass.
    """
    if len(value) > MAX_PATH or not value.startswith("/") or value.startswith("//"):
        return ""
    if "\\" in value or not value.isprintable():
        return ""
    return value if url_has_allowed_host_and_scheme(value, allowed_hosts=None) else ""


def success_url() -> str:
    """Return where the settings send a user after connecting, else the user's page."""
    with contextlib.suppress(NoReverseMatch, TypeError):
        return resolve_url(conf.OAUTH_ACCOUNTS_SUCCESS_URL)
    # The account is connected: that is not to end in an error (check E012).
    logger.error("OAUTH_ACCOUNTS_SUCCESS_URL leads nowhere; check says E012.")
    return reverse("oauth_accounts:list")


def shown_code(error: Exception, code: str) -> str:
    """Return the code for the page: which states exist here is nobody's business."""
    if isinstance(error, InvalidState) and code not in STATUS_BY_CODE:
        return InvalidState.code
    return code


def status_of(error: Exception, code: str) -> HTTPStatus:
    """Return the HTTP status of the page about an error; never 500."""
    if code in STATUS_BY_CODE:
        return STATUS_BY_CODE[code]
    for classes, status in STATUS_BY_CLASS:
        if isinstance(error, classes):
            return status
    return HTTPStatus.BAD_REQUEST


def _is_secure(request: HttpRequest) -> bool:
    """Say whether the browser is on https, also behind a proxy that Django was not told of."""
    base = conf.OAUTH_ACCOUNTS_BASE_URL or ""
    return request.is_secure() or base.startswith("https:")


def _cookie_name(request: HttpRequest) -> str:
    # The prefix makes browsers refuse a cookie that a sibling domain wrote.
    return "__Host-oauth_accounts" if _is_secure(request) else "oauth_accounts"


def read_browser(request: HttpRequest) -> Secret | None:
    """Return the value that this browser was given, if it has one."""
    value = Secret(request.COOKIES.get(_cookie_name(request), ""))
    return value if _BROWSER.match(value.get_value()) else None


def remember_browser(
    request: HttpRequest, response: HttpResponseBase, value: Secret
) -> None:
    """Give the browser the value that ties an attempt to it."""
    response.set_cookie(
        _cookie_name(request),
        value.get_value(),
        max_age=conf.OAUTH_ACCOUNTS_ATTEMPT_TTL,
        secure=_is_secure(request),
        httponly=True,
        # Not Strict: the way back from the provider is a navigation across sites.
        samesite="Lax",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """A connected account as its owner sees it."""

    account: ConnectedAccount
    """With its provider and its revocations loaded."""

    @property
    def is_revoked(self) -> bool:
        return self.account.status == ConnectedAccount.Status.REVOKED

    @property
    def status(self) -> str:
        """One of "active", "attention", "off": decides the colour."""
        if not self.account.provider.enabled or self.account.status in {
            ConnectedAccount.Status.DISABLED,
            ConnectedAccount.Status.REVOKED,
        }:
            return "off"
        return "active" if self.account.status == "active" else "attention"

    @property
    def status_text(self) -> str:
        if self.is_revoked:
            return _("Disconnected")
        if not self.account.provider.enabled:
            return _("Service switched off")
        texts = {
            ConnectedAccount.Status.ACTIVE: _("Connected"),
            ConnectedAccount.Status.NEEDS_REAUTH: _("Needs your attention"),
            ConnectedAccount.Status.DISABLED: _("Disabled"),
        }
        return texts[ConnectedAccount.Status(self.account.status)]

    @property
    def reason_text(self) -> str:
        if self.can_reconnect and self.status == "attention":
            reason = reasons.describe_account(self.account.status_reason)
            return _("%(reason)s Reconnect it to go on using it.") % {"reason": reason}
        return reasons.describe_account(self.account.status_reason)

    @property
    def can_reconnect(self) -> bool:
        """Say whether connecting again is possible and would change something."""
        by_admin = self.account.status_reason == "by_admin"
        disabled = self.account.status == ConnectedAccount.Status.DISABLED
        return self.account.provider.enabled and not (by_admin and disabled)

    @property
    def revocation_text(self) -> str:
        """What became of the tokens at the provider, after disconnecting."""
        texts = {
            PendingRevocation.Status.PENDING: _(
                "The service is being told to end the access."
            ),
            PendingRevocation.Status.CONFIRMED: _(
                "The service has confirmed that the access has ended."
            ),
            PendingRevocation.Status.UNSUPPORTED: _(
                "The service cannot be told to end the access. Remove it in your "
                "account settings there as well."
            ),
            PendingRevocation.Status.FAILED: _(
                "The service could not be told to end the access. Remove it in your "
                "account settings there."
            ),
        }
        newest = next(iter(self.account.pending_revocations.all()), None)
        # Superseded is about an earlier connection, which this one took the place of.
        return texts.get(PendingRevocation.Status(newest.status), "") if newest else ""
