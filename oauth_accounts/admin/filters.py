"""Filters of the lists: choices that are known beforehand, and nothing else."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from oauth_accounts import clock, keyring, reasons
from oauth_accounts.models import (
    AccountEvent,
    BulkAction,
    ConnectedAccount,
    Provider,
)

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

UNDECRYPTABLE = "undecryptable"
# More providers than anybody looks through at the side of a list.
PROVIDERS_SHOWN = 100
SOON = timedelta(days=7)
NEXT_HOUR = timedelta(hours=1)
# Sweeps come every minute, and what is refreshed by then is nobody's worry.
OVERDUE = timedelta(minutes=5)
STALE = timedelta(days=90)

RESULTS: dict[str, StrPromise] = {
    "success": _("Success"),
    "failure": _("Failure"),
    "rate_limited": _("Too many requests"),
}


class KnownChoices(SimpleListFilter):
    """
    A filter that takes the choices it offers, and sends anything else away.

    Which of them occur in a large table is not asked.
    """

    def __init__(self, request: Any, params: Any, model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        if (value := self.value()) is not None:
            self.require_known(value)

    def require_known(self, value: str) -> None:
        """Raise IncorrectLookupParameters for a value that is not among the choices."""
        if value not in {code for code, _text in self.lookup_choices}:
            raise IncorrectLookupParameters

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return queryset if value is None else queryset.filter(self.condition(value))

    def condition(self, value: str) -> Q:
        """Return what rows have to be, for one of the choices."""
        raise NotImplementedError


class ProviderFilter(KnownChoices):
    """By provider. Names are read, nothing sealed, and of so many only."""

    title = _("provider")
    parameter_name = "provider__id__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[Any]:
        rows = Provider.objects.order_by("name", "slug").values_list("pk", "name")
        return [(str(key), name) for key, name in rows[:PROVIDERS_SHOWN]]

    def has_output(self) -> bool:
        # One is no choice, but the way out of it when it was linked to.
        return len(self.lookup_choices) > 1 or self.value() is not None

    def require_known(self, value: str) -> None:
        if value in {key for key, _name in self.lookup_choices}:
            return
        # Beyond those that are shown, it may have been linked to.
        try:
            rows = Provider.objects.filter(pk=uuid.UUID(value))
        except ValueError:
            raise IncorrectLookupParameters from None
        if (name := rows.values_list("name", flat=True).first()) is None:
            raise IncorrectLookupParameters
        self.lookup_choices.append((value, name))

    def condition(self, value: str) -> Q:
        return Q(provider=uuid.UUID(value))


class StatusFilter(KnownChoices):
    title = _("status")
    parameter_name = "status__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[Any]:
        choices: list[Any] = model_admin.model.Status.choices
        return choices

    def condition(self, value: str) -> Q:
        return Q(status=value)


class AccountStatusFilter(StatusFilter):
    """By status, or by a key that is missing, which reads the whole table."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[Any]:
        stored = super().lookups(request, model_admin)
        return [*stored, (UNDECRYPTABLE, _("Undecryptable"))]

    def condition(self, value: str) -> Q:
        if value != UNDECRYPTABLE:
            return super().condition(value)
        holds_nothing = Q(key_id="") | Q(status=ConnectedAccount.Status.REVOKED)
        return ~holds_nothing & ~Q(key_id__in=keyring.ids_at_hand() or ())


class ReasonFilter(KnownChoices):
    title = _("reason")
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[Any]:
        return [(code, reasons.describe_account(code)) for code in reasons.ACCOUNT]

    def condition(self, value: str) -> Q:
        return Q(status_reason=value)


class ExpiryFilter(KnownChoices):
    """What ends by itself: the grant, or a token that nothing can renew."""

    title = _("end of access")
    parameter_name = "expiry"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[Any]:
        return [
            ("soon", _("Soon: within 7 days, unless its owner reconnects")),
        ]

    def condition(self, value: str) -> Q:
        until = clock.utcnow() + SOON
        ends = Q(refresh_token__isnull=True, expires_at__lt=until)
        dies = Q(refresh_token_expires_at__lt=until)
        return Q(ends | dies, status=ConnectedAccount.Status.ACTIVE)


class RefreshFilter(KnownChoices):
    """What the sweep has to do, and what it has not been doing."""

    title = _("refresh")
    parameter_name = "refresh"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[Any]:
        return [
            ("due", _("Due within the hour")),
            ("overdue", _("Overdue")),
            ("unused", _("Unused: no new token for 90 days, and none due")),
        ]

    def condition(self, value: str) -> Q:
        now = clock.utcnow()
        if value == "unused":
            never = Q(last_refreshed_at__isnull=True, created_at__lt=now - STALE)
            old = Q(last_refreshed_at__lt=now - STALE)
            return Q(old | never, refresh_due_at__isnull=True)
        until = now + NEXT_HOUR if value == "due" else now - OVERDUE
        # The index begins with the provider.
        providers = list(Provider.objects.values_list("pk", flat=True))
        return Q(provider__in=providers, refresh_due_at__lte=until)


class KindFilter(KnownChoices):
    title = _("kind")
    parameter_name = "kind__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[Any]:
        return AccountEvent.Kind.choices

    def condition(self, value: str) -> Q:
        return Q(kind=value)


class BulkKindFilter(KnownChoices):
    title = _("action")
    parameter_name = "kind__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[Any]:
        return BulkAction.Kind.choices

    def condition(self, value: str) -> Q:
        return Q(kind=value)


class ResultFilter(KnownChoices):
    title = _("result")
    parameter_name = "result"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[Any]:
        return RESULTS.items()

    def condition(self, value: str) -> Q:
        return Q(result=value)
