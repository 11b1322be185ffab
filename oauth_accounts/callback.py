"""What comes back from the provider through the user's browser, and what of it to believe."""

from __future__ import annotations

import functools
import hashlib
import logging
import re
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.db import router
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, QueryDict
from django.utils.crypto import constant_time_compare

from oauth_accounts import clock, durable
from oauth_accounts.exceptions import (
    AuthorizationDenied,
    AuthorizationError,
    InvalidState,
    RefreshInTransaction,
    clean_provider_code,
)
from oauth_accounts.fields import Secret
from oauth_accounts.frames import without_frames
from oauth_accounts.models import AuthorizationAttempt, ConnectedAccount, Provider
from oauth_accounts.models.breaker import open_now

logger = logging.getLogger("oauth_accounts")

# RFC 6749 appendix A.11: code = 1*VSCHAR; the bound is this project's.
_CODE = re.compile(r"[\x20-\x7e]{1,8192}\Z")
_STATE = re.compile(r"[A-Za-z0-9_-]{22,128}\Z")

# RFC 6749 section 4.1.2.1 and OpenID Connect Core section 3.1.2.6.
DENIALS = frozenset(
    {
        "access_denied",
        "account_selection_required",
        "consent_required",
        "interaction_required",
        "invalid_request",
        "invalid_scope",
        "login_required",
        "server_error",
        "temporarily_unavailable",
        "unauthorized_client",
        "unsupported_response_type",
    }
)
FRONT_CHANNEL_TOKENS = frozenset({"access_token", "id_token", "refresh_token"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameters:
    """The callback's parameters, each at most once; the secret ones masked."""

    state: Secret | None
    """As sent by the browser."""

    code: Secret | None
    """The authorisation code, its characters checked."""

    error: str | None
    """The provider's error code, cleaned."""

    iss: str | None
    """RFC 9207."""

    malformed: bool
    """Something was there twice, or was not what it may be."""


def hash_value(value: str) -> str:
    """Return the hash under which a state or a browser cookie is stored."""
    return hashlib.sha256(value.encode()).hexdigest()


def hash_browser(browser: Secret | None) -> str:
    """Return the hash of the browser's cookie; that of a browser without one matches none."""
    return hash_value(browser.get_value() if browser else "")


@without_frames
def take_parameters(request: HttpRequest) -> Parameters:
    """
    Read the query string and wipe it from the request, whatever is in it.

    Error mails and error trackers quote the request; code and state are not for them.
    """
    query = _take_query(request)
    if query is None:
        return Parameters(state=None, code=None, error=None, iss=None, malformed=True)
    single = {name: values[-1] for name, values in query.lists()}
    code = single.get("code")
    malformed = (
        any(len(values) > 1 for _name, values in query.lists())
        or not FRONT_CHANNEL_TOKENS.isdisjoint(single)
        or (code is not None and not _CODE.match(code))
    )
    state = single.get("state", "")
    return Parameters(
        state=Secret(state) if _STATE.match(state) else None,
        code=None if code is None else Secret(code),
        error=clean_provider_code(single.get("error")),
        iss=single.get("iss"),
        malformed=malformed,
    )


def _take_query(request: HttpRequest) -> QueryDict | None:
    """Return the query, None for one that Django refuses; the request loses it."""
    try:
        return request.GET
    except SuspiciousOperation:
        # More fields than DATA_UPLOAD_MAX_NUMBER_FIELDS. Unread, it would be parsed
        # again by whatever reports the error, and break that too.
        return None
    finally:
        request.GET = QueryDict()
        for name in ("QUERY_STRING", "REQUEST_URI", "RAW_URI"):
            if name in request.META:
                request.META[name] = ""
        if scope := getattr(request, "scope", None):  # ASGI
            scope["query_string"] = b""


def burn(state: Secret | None) -> AuthorizationAttempt:
    """
    Use up the attempt that a state belongs to, in a transaction of its own.

    Raises InvalidState when there is none or it was used, and ProviderUnavailable, with
    the attempt as it was, while calls to its provider are paused. One conditional UPDATE:
    of any number of parallel callbacks one wins, and a rollback of the request revives
    nothing.
    """
    if state is None:
        raise InvalidState("state_missing")
    alias = router.db_for_write(AuthorizationAttempt)
    hashed = hash_value(state.get_value())
    rows = AuthorizationAttempt.objects.using(alias).filter(
        state_hash=hashed, consumed_at__isnull=True
    )
    consume = partial(rows.filter(_unpaused()).update, consumed_at=clock.utcnow())
    try:
        burned = durable.run(alias, consume)
    except RefreshInTransaction:
        raise AuthorizationError("in_transaction") from None
    if not burned:
        _require_unpaused(rows)
        raise InvalidState("state_unknown_or_used")
    attempt: AuthorizationAttempt = _attempts().using(alias).get(state_hash=hashed)
    attempt.owner_is_known = attempt.known  # type: ignore[attr-defined]
    return attempt


@functools.cache
def _unpaused() -> Q:
    paused = Provider.objects.filter(open_now(), pk=OuterRef("provider"))
    return Q(~Exists(paused))


def _require_unpaused(rows: QuerySet[AuthorizationAttempt]) -> None:
    attempt = rows.select_related("provider").first()
    if attempt is not None:
        attempt.provider.require_unpaused()


@functools.cache
def _attempts() -> Any:
    """Return all, with whether the owner has accounts there; composing it is not cheap."""
    accounts = ConnectedAccount.objects.filter(
        owner=OuterRef("owner"), provider=OuterRef("provider")
    )
    rows = AuthorizationAttempt.objects.select_related("provider")
    return rows.annotate(known=Exists(accounts))


def check(
    parameters: Parameters,
    attempt: AuthorizationAttempt,
    *,
    slug: str,
    user: Any,
    browser: Secret | None,
) -> Secret:
    """
    Hold the callback against the burned attempt and return the code.

    slug: of the provider in the path. user: who is logged in. browser: our cookie's value.

    Raises InvalidState when it is not this browser's, user's or provider's own attempt,
    AuthorizationDenied for an error response, AuthorizationError for a malformed one.
    """
    _check_belongs(attempt, slug=slug, user=user, browser=browser)
    if parameters.malformed:
        raise AuthorizationError("malformed_response")
    _check_issuer(parameters.iss, attempt.provider)
    if parameters.error is not None:
        known = parameters.error in DENIALS
        raise AuthorizationDenied(
            parameters.error if known else "unknown", provider_code=parameters.error
        )
    if parameters.code is None:
        raise AuthorizationError("code_missing")
    return parameters.code


def _check_belongs(
    attempt: AuthorizationAttempt, *, slug: str, user: Any, browser: Secret | None
) -> None:
    hashed = hash_browser(browser)
    if not browser or not constant_time_compare(hashed, attempt.browser_hash):
        raise InvalidState("other_browser")
    if attempt.user_id != user.pk:
        raise InvalidState("other_user")
    if not user.is_active:
        raise InvalidState("user_inactive")
    if attempt.expires_at <= clock.utcnow():
        raise InvalidState("expired")
    provider = attempt.provider
    if provider.slug != slug:
        raise InvalidState("other_provider")
    if not provider.enabled or not attempt.matches(provider):
        raise InvalidState("provider_changed")


def _check_issuer(iss: str | None, provider: Provider) -> None:
    """Compare as RFC 9207 section 2.4 asks: character by character."""
    if not provider.issuer:
        if iss is not None:
            logger.info("Provider %s sends iss but has no issuer here.", provider.slug)
        return
    if iss is None and provider.authorization_response_iss_parameter_supported:
        raise AuthorizationError("issuer_missing")
    if iss is not None and iss != provider.issuer:
        raise AuthorizationError("issuer_mismatch")
