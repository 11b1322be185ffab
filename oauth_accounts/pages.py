"""What the user's pages have in common: headers, cookies, sessions, safe paths."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import AnonymousUser
from django.contrib.messages.storage.session import SessionStorage
from django.contrib.sessions.backends.base import SessionBase, UpdateError
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url
from django.template import loader
from django.template.backends.django import Template
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils.cache import add_never_cache_headers
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme

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


class Stylesheet:
    """The link to the app's stylesheet, which a page has once: the first time it is asked."""

    def __init__(self) -> None:
        self._is_linked = False

    def link(self) -> str:
        """Return the element, then ""."""
        if self._is_linked:
            return ""
        self._is_linked = True
        return format_html('<link rel="stylesheet" href="{}">', static(STYLESHEET))


def leave_ended_session(request: HttpRequest) -> bool:
    """
    Say whether the session was ended meanwhile, by a log-out in another tab; forget it then.

    Django's middleware writes it after the view, and answers with an error of its own when
    it is gone. Asked for nothing where that would not happen.
    """
    session = getattr(request, "session", None)
    if session is None or session.is_empty() or not _is_written(request, session):
        return False
    try:
        session.save()
    except UpdateError:
        session.flush()
        request.user = AnonymousUser()
        return True
    return False


def _is_written(request: HttpRequest, session: SessionBase) -> bool:
    """Say whether the middleware is going to write the session, as far as is known now."""
    in_session = isinstance(messages.get_messages(request), SessionStorage)
    return settings.SESSION_SAVE_EVERY_REQUEST or session.modified or in_session


def outside_transactions(view: Callable[..., Any]) -> Callable[..., Any]:
    """Exempt a view from ATOMIC_REQUESTS, on whichever database it is on."""
    for alias in connections:
        view = transaction.non_atomic_requests(alias)(view)
    return view


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


def log_refusal(view: str, slug: str, error: Exception, code: str) -> None:
    """Write a line about an error that became a page. slug: in the path, "" for none."""
    broken = isinstance(error, ImproperlyConfigured)
    configure = broken or getattr(error, "recovery", "") == "configure"
    logger.log(
        logging.ERROR if configure else logging.INFO,
        "%s %s ended with %s%s.",
        view,
        slug,
        code,
        f": {error}" if broken else "",
    )


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
