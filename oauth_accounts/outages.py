"""
What an answer says about its provider: when no call is made, and when again.

A refused client, too many requests and an outage concern all accounts alike, so they pause
the provider and leave the accounts as they are. What a half-open breaker learns from its
trial call is decided here too.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from oauth_accounts import clock

if TYPE_CHECKING:
    from oauth_accounts.exceptions import TokenError
    from oauth_accounts.models import Provider

logger = logging.getLogger("oauth_accounts")

CLIENT_REFUSED_PAUSE_SECONDS = 900.0
RATE_LIMIT_PAUSE_SECONDS = 60.0
UNAVAILABLE_PAUSE_SECONDS = 30.0
# Short enough that an outage is over here soon after it is over there.
UNAVAILABLE_LONGEST_SECONDS = 60.0

CLIENT_REFUSED = frozenset({"invalid_client", "unauthorized_client"})
# How often somebody is told of a provider that was altered by SQL, while it lasts.
ALTERED_TOLD_EVERY = timedelta(days=1)
# No word from the provider itself.
UNHEARD = frozenset(
    {"unreachable", "outcome_unknown", "server_error", "temporarily_unavailable"}
)
# It read the request and answered by the rules.
UNDERSTOOD = frozenset(
    {"invalid_grant", "invalid_request", "invalid_scope", "unsupported_grant_type"}
)


def learn(provider: Provider, error: TokenError) -> bool:
    """
    Pause or resume a provider by the error of one of its accounts.

    Return whether the error is about the provider and not about the account.
    """
    if error.code in CLIENT_REFUSED:
        client_refused(provider, error.code)
        return True
    if error.code == "rate_limited":
        rate_limited(provider, error.retry_after)
        return True
    if provider.pause_reason:
        _learn_from_trial(provider, error)
    return False


def _learn_from_trial(provider: Provider, error: TokenError) -> None:
    if error.code in UNHEARD:
        unavailable(provider, error.retry_after)
    elif error.code == "invalid_grant" or (
        # A client that is refused may be told of its request before.
        error.code in UNDERSTOOD and provider.pause_reason not in CLIENT_REFUSED
    ):
        provider.proved()


def succeeded(provider: Provider) -> None:
    """Close the circuit breaker if it was waiting for a success; else ask nothing."""
    if provider.pause_reason:
        provider.proved()


def client_refused(provider: Provider, code: str) -> None:
    """Pause the provider until somebody has looked at its client ID and secret."""
    if provider.pause(CLIENT_REFUSED_PAUSE_SECONDS, code):
        logger.error(
            "Provider %s refused this client (%s): check its client ID and secret. "
            "Its refreshes are paused.",
            provider.slug,
            code,
        )


def rate_limited(provider: Provider, retry_after: float | None) -> None:
    """Pause the provider for as long as it asks for, or a minute."""
    if provider.pause(retry_after or RATE_LIMIT_PAUSE_SECONDS, "rate_limited"):
        logger.warning(
            "Provider %s asks for fewer requests. Its refreshes are paused.",
            provider.slug,
        )


def unavailable(provider: Provider, retry_after: float | None = None) -> None:
    """Pause a provider that does not answer, so that an outage costs few calls."""
    seconds = max(UNAVAILABLE_PAUSE_SECONDS, retry_after or 0)
    if provider.pause(seconds, "unavailable", longest=UNAVAILABLE_LONGEST_SECONDS):
        logger.warning(
            "Provider %s does not answer. Its refreshes are paused.", provider.slug
        )


def altered(provider: Provider) -> None:
    """Tell, once a day, of addresses that are not those that were pinned, if so it is."""
    if not provider.is_altered():
        return
    events = provider.events.using(provider.write_alias)
    since = clock.utcnow() - ALTERED_TOLD_EVERY
    if events.filter(kind="provider_altered", created_at__gt=since).exists():
        return
    events.create(kind="provider_altered", provider=provider)
    logger.error(
        "Provider %s was altered by other means than the admin, the settings or code: %s. "
        "Nothing is sent to it. Its page in the admin shows what differs; restore it, or "
        "run: manage.py oauth_accounts rebind %s",
        provider.slug,
        ", ".join(provider.altered_columns()),
        provider.slug,
    )
