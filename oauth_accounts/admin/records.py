"""What happened: events, attempts, revocations and statistics."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from oauth_accounts import reasons
from oauth_accounts.admin.readonly import ReadOnlyAdmin, RecordAdmin
from oauth_accounts.models import (
    AccountEvent,
    AuthorizationAttempt,
    PendingRevocation,
    RefreshStatistic,
)


@admin.register(AccountEvent)
class AccountEventAdmin(RecordAdmin):
    list_display = ("created_at", "kind", "reason", "account", "provider", "actor")
    list_filter = ("kind", "provider")
    list_select_related = ("account", "provider", "actor")
    search_fields = ("reason", "account__uid", "account__label")
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
    list_filter = ("provider",)
    list_select_related = ("provider", "user", "account")
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


@admin.register(PendingRevocation)
class PendingRevocationAdmin(RecordAdmin):
    list_display = (
        "created_at",
        "provider",
        "account",
        "status",
        "reason",
        "attempts",
        "last_error",
        "due_at",
    )
    list_filter = ("status", "provider")
    list_select_related = ("provider", "account")
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

    @admin.display(description=_("meaning"))
    def meaning(self, pending: PendingRevocation) -> str:
        return reasons.describe_account(pending.last_error)


@admin.register(RefreshStatistic)
class RefreshStatisticAdmin(ReadOnlyAdmin):
    """Deleting is left to permissions, because deleting a provider cascades here."""

    list_display = ("hour", "provider", "result", "reason", "count")
    list_filter = ("provider", "result")
    list_select_related = ("provider",)
    fields = ("hour", "provider", "result", "reason", "count")
