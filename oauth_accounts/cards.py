"""Connected accounts as their owner sees them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from django.db.models import BooleanField, ExpressionWrapper, Prefetch, Q
from django.utils.translation import gettext as _

from oauth_accounts import advice, ages, clock, keyring, permissions
from oauth_accounts.fields import SEALED_FIELDS
from oauth_accounts.models import ConnectedAccount, PendingRevocation, Provider
from oauth_accounts.permissions import Permission

# Of more accounts than this a page shows the details on demand.
FEW = 8

STOPPED_FOR_GOOD = frozenset({"by_admin", "owner_inactive"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """A connected account as its owner sees it."""

    account: ConnectedAccount
    """As `accounts_of` loads it."""

    now: datetime
    """UTC."""

    key_ids: frozenset[str]
    """Of the keys in force."""

    @property
    def is_revoked(self) -> bool:
        return self.account.status == ConnectedAccount.Status.REVOKED

    @property
    def status(self) -> str:
        """One of "active", "attention", "off": decides the colour."""
        if self.needs_attention:
            return "attention"
        works = self.account.status == ConnectedAccount.Status.ACTIVE
        return "active" if works and self.account.provider.enabled else "off"

    @property
    def needs_attention(self) -> bool:
        """Say whether its owner has to reconnect it before it works again."""
        if not self._provider_is_ready():
            return False
        reauth = self.account.status == ConnectedAccount.Status.NEEDS_REAUTH
        return reauth or self.reason in {"undecryptable", "expired", "provider_changed"}

    @property
    def status_text(self) -> str:
        if self.is_revoked:
            return _("Disconnected")
        if not self.account.provider.enabled:
            return _("Service switched off")
        if self.needs_attention:
            return _("Needs your attention")
        works = self.account.status == ConnectedAccount.Status.ACTIVE
        return _("Connected") if works else _("Stopped")

    @property
    def reason(self) -> str:
        """Code of what there is to say about its state, "" for nothing."""
        account = self.account
        if self.is_revoked:
            by_admin = account.status_reason == "by_admin"
            return "revoked_by_admin" if by_admin else account.status_reason
        if not account.provider.enabled:
            return "provider_disabled"
        if account.provider.is_in_doubt():
            return "provider_in_doubt"
        if account.status != ConnectedAccount.Status.ACTIVE:
            return account.status_reason
        return self._trouble() or account.status_reason

    def _trouble(self) -> str:
        """Return what keeps an active account from being used, or from being renewed."""
        # The tokens themselves stay where they are; their key's name will do.
        if self.account.key_id and self.account.key_id not in self.key_ids:
            return "undecryptable"
        if self._is_over():
            return "expired"
        return "provider_paused" if is_paused(self.account.provider, self.now) else ""

    def _is_over(self) -> bool:
        dies_at = self.account.expires_at
        if dies_at is None or dies_at > self.now:
            return False
        renewable = getattr(self.account, "is_renewable", True)
        return not renewable or self.account.refresh_token_is_expired(self.now)

    @property
    def reason_text(self) -> str:
        """What there is to say about its state and what helps; "" when all is well."""
        return advice.describe(self.reason, self.account.provider)

    @property
    def can_reconnect(self) -> bool:
        """Say whether connecting again is possible and would change something."""
        stopped = self.account.status == ConnectedAccount.Status.DISABLED
        for_good = stopped and self.account.status_reason in STOPPED_FOR_GOOD
        return self._provider_is_ready() and not for_good

    def _provider_is_ready(self) -> bool:
        """Say whether its owner could do anything there, and not only an administrator."""
        provider = self.account.provider
        return provider.enabled and not provider.is_in_doubt()

    @property
    def offers_reconnect(self) -> bool:
        """Say whether there is a reason to connect again."""
        return self.can_reconnect and self.status != "active"

    @property
    def asks_again(self) -> bool:
        """Say whether connecting again could bring permissions that are missing."""
        return self.can_reconnect and self.status == "active" and bool(self.missing)

    @property
    def permissions(self) -> list[Permission]:
        """
        What was granted; what was asked for when the provider did not say.

        RFC 6749 section 5.1: it has to say where it granted something else.
        """
        granted = self.account.scopes
        return self._described(
            self.account.requested_scopes if granted is None else granted
        )

    @property
    def missing(self) -> list[Permission]:
        """What this site asks for now and was not granted, as far as is known."""
        if self.is_revoked:
            return []
        return self._described(
            self.account.missing_scopes(self.account.provider.scopes)
        )

    def _described(self, scopes: Iterable[Any]) -> list[Permission]:
        return permissions.describe(scopes, self.account.provider.scope_descriptions)

    @property
    def connected_age(self) -> str:
        return ages.describe_age(self.account.created_at, self.now)

    @property
    def refreshed_age(self) -> str:
        """When its access was last renewed, "" for never."""
        at = self.account.last_refreshed_at
        return ages.describe_age(at, self.now) if at else ""

    @property
    def revocation_text(self) -> str:
        """What became of the tokens at the provider, after disconnecting."""
        newest = next(iter(self.account.pending_revocations.all()), None)
        status = newest.status if newest else ""
        return advice.describe_ending(status, self.account.provider)

    @property
    def grants_url(self) -> str:
        """Where its owner sees at the provider what has access, "" when nobody has said."""
        url = self.account.provider.grants_url
        # The form lets in nothing else, but SQL would.
        return url if url.startswith(("https://", "http://")) else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """The accounts at one provider."""

    provider: Provider
    """That they are at."""

    cards: list[Card]
    """Those that need their owner first."""


def accounts_of(owner: Any) -> Any:
    """Return the owner's accounts with all that cards show, without their tokens."""
    tokens = ("access_token", "refresh_token")
    outcomes = PendingRevocation.objects.defer(*tokens).order_by("-created_at")
    renewable = ExpressionWrapper(
        Q(refresh_token__isnull=False), output_field=BooleanField()
    )
    return (
        ConnectedAccount.objects.for_owner(owner)
        .defer(*SEALED_FIELDS)
        .annotate(is_renewable=renewable)
        .select_related("provider")
        .prefetch_related(Prefetch("pending_revocations", queryset=outcomes))
        .order_by("provider__name", "provider__slug", "label", "created_at")
    )


def cards_of(accounts: Iterable[ConnectedAccount]) -> list[Card]:
    """Return a card for each account."""
    now, key_ids = clock.utcnow(), _key_ids()
    return [Card(account=a, now=now, key_ids=key_ids) for a in accounts]


def _key_ids() -> frozenset[str]:
    # Wrong keys are said by check E001; the page still says what there is.
    return frozenset(keyring.ids_at_hand() or ())


def groups_of(cards: Iterable[Card]) -> list[Group]:
    """Return the cards by provider, in the order of their providers."""
    return [
        Group(
            provider=(found := list(same))[0].account.provider,
            cards=sorted(found, key=lambda card: not card.needs_attention),
        )
        for _slug, same in groupby(cards, key=lambda card: card.account.provider.slug)
    ]


def is_paused(provider: Provider, now: datetime | None = None) -> bool:
    """Say whether calls are paused, by this process's clock: a hint, without a query."""
    until = provider.paused_until
    return until is not None and until > (now or clock.utcnow())


def has_troubles(provider: Provider) -> bool:
    """Say whether connecting may not work yet: a hint, without a query."""
    return is_paused(provider) or provider.is_in_doubt()


def describe_connection(
    account: ConnectedAccount, *, created: bool, logged_in: bool = True
) -> str:
    """Return what to say about an account that was just connected, or connected again."""
    if not logged_in:
        # Whose account it is, is nobody's business any more.
        text = _(
            "The account at %(provider)s is connected. You were logged out meanwhile: "
            "log in to see it."
        )
    elif created:
        text = _("%(account)s at %(provider)s is connected.")
    else:
        text = _("%(account)s at %(provider)s is connected again.")
    return text % {"account": account, "provider": account.provider}


def describe_disconnection(account: ConnectedAccount) -> str:
    """Return what happened to an account that was just revoked, here and at its provider."""
    newest = account.pending_revocations.order_by("-created_at").first()
    status = newest.status if newest else ""
    if status == "pending" and not account.provider.revocation_endpoint:
        # Nobody is going to be told, which the outbox finds out a little later.
        status = "unsupported"
    names = {
        "account": account,
        "outcome": advice.describe_ending(status, account.provider),
        "provider": account.provider,
    }
    if not names["outcome"]:
        return _("%(account)s at %(provider)s is disconnected.") % names
    return _("%(account)s at %(provider)s is disconnected. %(outcome)s") % names
