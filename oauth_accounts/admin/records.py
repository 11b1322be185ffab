"""What happened: events, attempts, revocations and statistics."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from oauth_accounts import clock, reasons
from oauth_accounts.admin import badges, filters, labels, moments, search
from oauth_accounts.admin.readonly import ReadOnlyAdmin, RecordAdmin
from oauth_accounts.models import (
    AccountEvent,
    AuthorizationAttempt,
    ConnectedAccount,
    Notice,
    PendingRevocation,
    RefreshStatistic,
)

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise


def _told(
    name: str,
    description: StrPromise,
    describe: Callable[[str], str] = reasons.describe_account,
    *,
    with_code: bool = False,
) -> Any:
    """Return a column that says in words what the code in another one means."""

    @admin.display(description=description)
    def column(self: Any, row: Any) -> str:
        code: str = getattr(row, name)
        text = describe(code)
        return f"{text} ({code})" if with_code and text != code else text

    return column


def _with_words(state: str, words: str) -> SafeString:
    """Return a state with what there is to say about it below; "" for nothing."""
    if not words:
        return format_html("{}", state)
    return format_html(
        '{}<br><span class="oauth-accounts-words">{}</span>', state, words
    )


class Told(badges.Styled, ReadOnlyAdmin):
    """Moments as people say them, and reasons in words: a list has no room for more."""

    # What is no evidence may go with what it belongs to, and not by the dozen.
    actions = None

    why = _told("reason", _("reason"))
    why_exactly = _told("reason", _("reason"), with_code=True)

    @admin.display(description=_("time"), ordering="created_at")
    def at(self, row: Any) -> SafeString | None:
        return moments.relative(row.created_at)

    @admin.display(description=_("account"))
    def account_short(self, row: Any) -> SafeString | None:
        return labels.short(row.account) if row.account else None

    @admin.display(description=_("due"))
    def due(self, row: Any) -> SafeString | None:
        return moments.relative(row.due_at)


class OfAccounts(Told):
    """Rows that know an account by its key, and are found by what the account is found by."""

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term.strip():
            return queryset, False
        keys = search.account_keys(search_term)
        return queryset.filter(account_key__in=keys), False


@admin.register(AccountEvent)
class AccountEventAdmin(OfAccounts, RecordAdmin):
    list_display = ("at", "kind", "why", "account_short", "provider", "actor")
    list_filter = (filters.KindFilter, filters.ProviderFilter)
    linked_by = ("account_key",)
    list_select_related = ("account", "provider", "actor")
    sortable_by = ("at",)
    # Makes the field appear; what it looks at is in `get_search_results`.
    search_fields = ("account_key",)
    search_help_text = search.HELP
    fields = (
        "created_at",
        "kind",
        "why_exactly",
        "account",
        "account_key",
        "provider",
        "actor",
    )


@admin.register(AuthorizationAttempt)
class AuthorizationAttemptAdmin(Told):
    """Deleting is left to permissions, because deleting an account or user cascades here."""

    list_display = ("at", "provider", "user", "account_short", "state")
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

    @admin.display(description=_("state"))
    def state(self, attempt: AuthorizationAttempt) -> SafeString:
        if attempt.consumed_at is not None:
            word, moment = gettext("Used"), attempt.consumed_at
        elif attempt.expires_at <= clock.utcnow():
            word, moment = gettext("Expired"), attempt.expires_at
        else:
            word, moment = gettext("Open, expires"), attempt.expires_at
        return format_html("{} {}", word, moments.relative(moment))


@admin.register(Notice)
class NoticeAdmin(OfAccounts, RecordAdmin):
    list_display = ("at", "change", "provider", "account_link", "state", "due")
    list_filter = ("status", "kind", filters.ProviderFilter)
    list_select_related = ("provider",)
    sortable_by = ("at",)
    # Makes the field appear; what it looks at is in `get_search_results`.
    search_fields = ("account_key",)
    search_help_text = search.HELP
    fields = (
        "created_at",
        "kind",
        "why_exactly",
        "provider",
        "account_key",
        "status",
        "attempts",
        "trouble_exactly",
        "due_at",
        "finished_at",
    )

    trouble_exactly = _told(
        "last_error", _("last error"), reasons.describe_notice, with_code=True
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # It is no foreign key: a notice outlives its account.
        accounts = ConnectedAccount.objects.filter(pk=OuterRef("account_key"))
        label = Subquery(accounts.values("label")[:1])
        rows = super().get_queryset(request)
        labelled: QuerySet[Any] = rows.annotate(account_label=label)
        return labelled

    @admin.display(description=_("change"))
    def change(self, notice: Notice) -> SafeString:
        return _with_words(notice.get_kind_display(), self.why(notice))

    @admin.display(description=_("state"))
    def state(self, notice: Notice) -> SafeString:
        words = reasons.describe_notice(notice.last_error)
        return _with_words(notice.get_status_display(), words)

    @admin.display(description=_("account"))
    def account_link(self, notice: Notice) -> SafeString:
        """Return its label, or else the beginning of its key; it leads there either way."""
        label = getattr(notice, "account_label", None)
        address = reverse(
            "admin:oauth_accounts_connectedaccount_change",
            args=[notice.account_key],
            current_app=self.admin_site.name,
        )
        return format_html(
            '<a href="{}" title="{}">{}</a>',
            address,
            notice.account_key,
            labels.short(label or f"{str(notice.account_key)[:8]}…"),
        )


@admin.register(PendingRevocation)
class PendingRevocationAdmin(Told, RecordAdmin):
    list_display = ("at", "provider", "account_short", "state", "due")
    list_filter = (filters.StatusFilter, filters.ProviderFilter)
    linked_by = ("account__id__exact",)
    list_select_related = ("provider", "account")
    sortable_by = ("at",)
    fields = (
        "provider",
        "account",
        "account_key",
        "status",
        "why_exactly",
        "attempts",
        "trouble_exactly",
        "due_at",
        "created_at",
        "finished_at",
    )

    trouble_exactly = _told("last_error", _("last error"), with_code=True)

    @admin.display(description=_("status"))
    def state(self, pending: PendingRevocation) -> str:
        words = reasons.describe_account(pending.last_error)
        return _with_words(badges.pill(pending.status), words)


@admin.register(RefreshStatistic)
class RefreshStatisticAdmin(Told):
    """Deleting is left to permissions, because deleting a provider cascades here."""

    list_display = ("hour", "provider", "outcome", "why", "count")
    list_filter = (filters.ProviderFilter, filters.ResultFilter)
    sortable_by = ("hour",)
    list_select_related = ("provider",)
    fields = ("hour", "provider", "outcome", "why_exactly", "count")

    @admin.display(description=_("result"))
    def outcome(self, statistic: RefreshStatistic) -> str:
        return str(filters.RESULTS.get(statistic.result, statistic.result))
