"""Start an authorisation and finish it: from a click to a connected account."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from django.db import DatabaseError, router
from django.db.models import QuerySet
from django.http import HttpRequest

from oauth_accounts import (
    callback,
    clock,
    durable,
    grant,
    outages,
    reactions,
    rejections,
    signals,
    turnstile,
)
from oauth_accounts.conf import conf
from oauth_accounts.exceptions import (
    AuthorizationError,
    InvalidState,
    OAuthAccountsError,
    ProviderMisconfigured,
    ReauthRequired,
    RefreshInTransaction,
)
from oauth_accounts.fields import Secret
from oauth_accounts.identity import ask_whose
from oauth_accounts.models import (
    AuthorizationAttempt,
    ConnectedAccount,
    Provider,
)
from oauth_accounts.models.provider import missing_configuration
from oauth_accounts.protocol.client import OAuth2Client, new_code_verifier
from oauth_accounts.protocol.tokens import TokenSet
from oauth_accounts.registration import redirect_uri

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# Attempts that one browser may have open; the oldest give way.
MAX_OPEN_ATTEMPTS = 10

# As text: composing it anew for each click takes longer than running it.
_PROVIDER = """
    SELECT provider.*, (
        SELECT COUNT(*) FROM oauth_accounts_authorizationattempt
        WHERE browser_hash = %s AND consumed_at IS NULL
    ) AS open_attempts
    FROM oauth_accounts_provider provider WHERE slug = %s
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Started:
    """An authorisation under way."""

    url: str = field(repr=False)
    """Where to send the browser; holds the state."""

    browser: Secret
    """Value of the cookie that ties the attempt to this browser."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """An authorisation that ended in an account."""

    account: ConnectedAccount
    """Connected, or connected again."""

    created: bool
    """False when the account was known before."""

    next: str
    """Local path to go on to, or ""."""


def start(
    request: HttpRequest,
    provider: Provider,
    *,
    browser: Secret | None = None,
    account: ConnectedAccount | None = None,
    next_path: str = "",
) -> Started:
    """
    Record an attempt and return the provider's address to send the browser to.

    request: of the logged-in user. browser: value of the cookie, when there is one.
    account: the one to reconnect. next_path: checked local path to go on to.

    Raises ProviderMisconfigured when the provider is disabled, lacks something or was
    altered by SQL, ProviderUnavailable while calls to it are paused, and
    TokenUndecryptable.
    """
    if not provider.enabled:
        raise ProviderMisconfigured("provider_disabled")
    provider.require_unpaused()
    if missing_configuration(provider):
        raise ProviderMisconfigured("provider_incomplete")
    browser_value = browser or Secret(secrets.token_urlsafe(32))
    state, verifier = Secret(secrets.token_urlsafe(32)), new_code_verifier()
    # OpenID Connect Core section 3.1.2.1: ties the ID token to this attempt.
    nonce = Secret(secrets.token_urlsafe(32)) if provider.uses_openid() else None
    attempt = AuthorizationAttempt(
        state_hash=callback.hash_value(state.get_value()),
        browser_hash=callback.hash_browser(browser_value),
        code_verifier=verifier,
        nonce=nonce,
        user=cast("User", request.user),  # the view has sent others to the log-in page
        owner_id=account.owner_id if account else _owner_id(request),
        provider=provider,
        account=account,
        issuer=provider.issuer,
        client_id=provider.client_id,
        authorization_endpoint=provider.authorization_endpoint,
        token_endpoint=provider.token_endpoint,
        redirect_uri=redirect_uri(request, provider),
        next=next_path,
        scopes=list(provider.scopes),
    )
    # Never a variable of its own, which a report about an error would print.
    started = Started(
        url=_client_of(provider).authorization_url(
            redirect_uri=attempt.redirect_uri,
            state=state,
            code_verifier=verifier,
            scopes=attempt.scopes,
            nonce=nonce,
        ),
        browser=browser_value,
    )
    attempt.save()
    if _may_exceed(provider, browser):
        _evict(attempt.browser_hash)
    return started


def _client_of(provider: Provider) -> OAuth2Client:
    try:
        return provider.oauth_client()
    except ProviderMisconfigured:
        outages.altered(provider)
        raise


def find_provider(slug: str, browser: Secret | None) -> Provider | None:
    """
    Return the provider to connect at, and with it how much this browser has under way.

    slug: in the path. browser: value of the cookie, when there is one.
    """
    known = callback.hash_browser(browser)
    return next(iter(Provider.objects.raw(_PROVIDER, [known, slug])), None)


def _may_exceed(provider: Provider, browser: Secret | None) -> bool:
    """Say whether the browser may have too many attempts; a new browser has none."""
    known = provider.open_attempts
    return browser is not None and (known is None or known >= MAX_OPEN_ATTEMPTS)


def _open_attempts(browser_hash: str) -> QuerySet[AuthorizationAttempt]:
    return AuthorizationAttempt.objects.filter(
        browser_hash=browser_hash, consumed_at=None
    )


def _owner_id(request: HttpRequest) -> Any:
    owner = conf.OAUTH_ACCOUNTS_GET_OWNER(request)
    return None if owner is None else owner.pk


def finish(request: HttpRequest, slug: str, browser: Secret | None) -> Finished:
    """
    Turn a callback into a connected account.

    slug: of the provider in the path. browser: value of the cookie. The attempt is burned
    and the tokens are stored in transactions of their own.

    Raises AuthorizationError or TokenError; an audit event tells the reason.
    """
    parameters = callback.take_parameters(request)
    attempt = None
    try:
        # Before the burn: who has to come back later can load the page again.
        with turnstile.turn(slug):
            attempt = callback.burn(parameters.state)
            code = callback.check(
                parameters, attempt, slug=slug, user=request.user, browser=browser
            )
            _check_owner(request, attempt)
            account, created = _exchange(attempt, code)
    except OAuthAccountsError as error:
        rejections.record(request, slug, attempt, error)
        # Of an attempt that may be somebody else's nothing is told.
        if attempt is not None and not isinstance(error, InvalidState):
            error.next_path = attempt.next
        raise
    signal = signals.account_connected if created else signals.account_reconnected
    reactions.announce(account, signal, request=request)
    return Finished(account=account, created=created, next=attempt.next)


def _check_owner(request: HttpRequest, attempt: AuthorizationAttempt) -> None:
    # Whoever was asked at the start may have left the organisation since.
    if attempt.owner_id is not None and attempt.owner_id != _owner_id(request):
        raise InvalidState("other_owner")


def purge_attempts() -> int:
    """Delete the attempts that are over and return how many they were."""
    over = AuthorizationAttempt.objects.filter(expires_at__lt=clock.utcnow())
    deleted, _by_model = over.delete()
    return deleted


def _evict(browser_hash: str) -> None:
    attempts = _open_attempts(browser_hash)
    newest = attempts.order_by("-created_at").values_list("pk", flat=True)
    if surplus := list(newest[MAX_OPEN_ATTEMPTS:]):
        attempts.filter(pk__in=surplus).delete()


def _exchange(
    attempt: AuthorizationAttempt, code: Secret
) -> tuple[ConnectedAccount, bool]:
    provider = attempt.provider
    client = _client_of(provider)
    try:
        tokens = client.exchange_code(
            code=code,
            redirect_uri=attempt.redirect_uri,
            code_verifier=attempt.reveal("code_verifier"),
        )
    except ReauthRequired as error:
        refusal = error.provider_code
    else:
        return _identify(attempt, client, tokens)
    raise AuthorizationError("code_refused", provider_code=refusal)


def _identify(
    attempt: AuthorizationAttempt, client: OAuth2Client, tokens: TokenSet
) -> tuple[ConnectedAccount, bool]:
    """Ask whose tokens these are and store them; tokens that are not stored are revoked."""
    alias = router.db_for_write(ConnectedAccount)
    identity = None
    try:
        identity, kept = ask_whose(attempt, client, tokens)
        return durable.run(alias, partial(grant.store, alias, attempt, kept, identity))
    except RefreshInTransaction:
        failure: OAuthAccountsError = AuthorizationError("in_transaction")
    except DatabaseError:
        failure = AuthorizationError("not_stored")
    except OAuthAccountsError as error:
        failure = error
    grant.discard(attempt, tokens, identity, failure)
    raise failure
