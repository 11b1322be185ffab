"""What happened: events, attempts, revocations and statistics."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from oauth_accounts import reasons
from oauth_accounts.admin import badges, filters, search
from oauth_accounts.admin.readonly import ReadOnlyAdmin, RecordAdmin
from oauth_accounts.models import (
    AccountEvent,
    AuthorizationAttempt,
    Notice,
    PendingRevocation,
    RefreshStatistic,
)


@admin.register(AccountEvent)
class AccountEventAdmin(RecordAdmin):
    list_display = ("created_at", "kind", "reason", "account", "provider", "actor")
    list_filter = (filters.KindFilter, filters.ProviderFilter)
    linked_by = ("account_key",)
    list_select_related = ("account", "provider", "actor")
    sortable_by = ("created_at",)
    # Makes the field appear; what it looks at is in `get_search_results`.
    search_fields = ("account_key",)
    search_help_text = search.HELP
    fields = (
        "created_at",
        "kind",
        "reason",
        "meaning",
        "account",
        "account_key",
        "provider",
        "actor",
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term.strip():
            return queryset, False
        keys = search.account_keys(search_term)
        return queryset.filter(account_key__in=keys), False

    @admin.display(description=_("meaning"))
    def meaning(self, event: AccountEvent) -> str:
        return reasons.describe_account(event.reason)


@admin.register(AuthorizationAttempt)
class AuthorizationAttemptAdmin(ReadOnlyAdmin):
    """Deleting is left to permissions, because deleting an account or user cascades here."""

    list_display = (
        "created_at",
        "provider",
        "user",
        "account",
        "expires_at",
        "consumed_at",
    )
    list_filter = (filters.ProviderFilter,)
    list_select_related = ("provider", "user", "account")
    sortable_by = ()
    fields = (
        "user",
        "owner",
        "provider",
        "account",
        "issuer",
        "client_id",
        "redirect_uri",
        "next",
        "scopes",
        "created_at",
        "expires_at",
        "consumed_at",
    )


@admin.register(Notice)
class NoticeAdmin(RecordAdmin):
    list_display = (
        "created_at",
        "kind",
        "reason",
        "provider",
        "account_key",
        "status",
        "last_error",
        "due_at",
    )
    list_filter = ("status", "kind", "provider")
    list_select_related = ("provider",)
    search_fields = ("account_key",)
    fields = (
        "created_at",
        "kind",
        "reason",
        "provider",
        "account_key",
        "status",
        "attempts",
        "last_error",
        "meaning",
        "due_at",
        "finished_at",
    )

    @admin.display(description=_("meaning"))
    def meaning(self, notice: Notice) -> str:
        return reasons.describe_notice(notice.last_error)


@admin.register(PendingRevocation)
class PendingRevocationAdmin(badges.Styled, RecordAdmin):
    list_display = (
        "created_at",
        "provider",
        "account",
        "state",
        "reason",
        "attempts",
        "last_error",
        "due_at",
    )
    list_filter = (filters.StatusFilter, filters.ProviderFilter)
    linked_by = ("account__id__exact",)
    list_select_related = ("provider", "account")
    sortable_by = ("created_at",)
    fields = (
        "provider",
        "account",
        "account_key",
        "status",
        "reason",
        "attempts",
        "last_error",
        "meaning",
        "due_at",
        "created_at",
        "finished_at",
    )

    @admin.display(description=_("status"))
    def state(self, pending: PendingRevocation) -> str:
        return badges.pill(pending.status)

    @admin.display(description=_("meaning"))
    def meaning(self, pending: PendingRevocation) -> str:
        return reasons.describe_account(pending.last_error)


@admin.register(RefreshStatistic)
class RefreshStatisticAdmin(ReadOnlyAdmin):
    """Deleting is left to permissions, because deleting a provider cascades here."""

    list_display = ("hour", "provider", "result", "reason", "count")
    list_filter = (filters.ProviderFilter, filters.ResultFilter)
    sortable_by = ("hour",)
    list_select_related = ("provider",)
    fields = ("hour", "provider", "result", "reason", "count")
