"""Connected accounts in the admin: everything about them but their tokens."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import ImproperlyConfigured
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import localize
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from oauth_accounts import reasons
from oauth_accounts.admin import advice, badges, filters, moments, search
from oauth_accounts.admin.actions import refresh_now, revoke_selected
from oauth_accounts.admin.readonly import ReadOnlyAdmin, sealed_columns
from oauth_accounts.models import AuthorizationAttempt, ConnectedAccount, Provider

EVENTS_SHOWN = 20
LABEL_SHOWN = 40


@admin.register(ConnectedAccount)
class ConnectedAccountAdmin(badges.Styled, ReadOnlyAdmin):
    list_display = (
        "name",
        "provider",
        "state",
        "reason",
        "owner",
        "expires",
        "refreshed",
        "connected",
    )
    list_filter = (
        filters.StatusFilter,
        filters.ExpiryFilter,
        filters.RefreshFilter,
        filters.ReasonFilter,
        filters.ProviderFilter,
    )
    linked_by = ("owner__id__exact",)
    list_select_related = ("provider", "owner")
    # The others have no index, and a sort of a million rows takes a second.
    sortable_by = ("connected",)
    # Makes the field appear; what it looks at is in `get_search_results`.
    search_fields = ("uid",)
    search_help_text = search.HELP
    actions = (refresh_now, revoke_selected)
    fieldsets = (
        (None, {"fields": ("provider", "owner", "connected_by", "uid", "label")}),
        (
            _("State"),
            {
                "fields": (
                    "state",
                    "reason_and_code",
                    "last_error_text",
                    "failure_count",
                    "refresh_due_at",
                )
            },
        ),
        (
            _("Tokens"),
            {
                "fields": (
                    "stored_tokens",
                    "expires_at",
                    "refresh_token_expires_at",
                    "issued_at",
                    "last_refreshed_at",
                    "key_id",
                )
            },
        ),
        (_("Permissions"), {"fields": ("requested_scopes", "scopes")}),
        (
            _("Details"),
            {"fields": ("api_base_url", "profile", "metadata", "created_at")},
        ),
        (_("History"), {"fields": ("history",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        sealed = (f"provider__{name}" for name in sealed_columns(Provider))
        return super().get_queryset(request).defer(*sealed)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return search.accounts(queryset, search_term), False

    def has_refresh_permission(self, request: HttpRequest) -> bool:
        return self._may(request, "refresh")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return self._may(request, "revoke")

    def _may(self, request: HttpRequest, action: str) -> bool:
        return request.user.has_perm(f"oauth_accounts.{action}_connectedaccount")

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Ask for no permission on attempts: they go with their account, as details."""
        found, counts, needed, protected = super().get_deleted_objects(objs, request)
        needed = needed - {AuthorizationAttempt._meta.verbose_name}
        return found, counts, needed, protected

    # Columns

    @admin.display(description=_("account"))
    def name(self, account: ConnectedAccount) -> str:
        return Truncator(str(account)).chars(LABEL_SHOWN)

    @admin.display(description=_("state"))
    def state(self, account: ConnectedAccount) -> str:
        return badges.pill(advice.state_of(account))

    @admin.display(description=_("reason"))
    def reason(self, account: ConnectedAccount) -> str:
        said = (advice.reason_for(account), advice.next_step(account))
        return format_html_join(" ", "{}", ((text,) for text in said if text))

    @admin.display(description=_("expires"))
    def expires(self, account: ConnectedAccount) -> SafeString | None:
        return moments.relative(account.expires_at)

    @admin.display(description=_("last refresh"))
    def refreshed(self, account: ConnectedAccount) -> SafeString | None:
        return moments.relative(account.last_refreshed_at)

    @admin.display(description=_("connected"), ordering="created_at")
    def connected(self, account: ConnectedAccount) -> SafeString | None:
        return moments.relative(account.created_at)

    @admin.display(description=_("reason"))
    def reason_and_code(self, account: ConnectedAccount) -> str:
        return _explained(account.status_reason)

    @admin.display(description=_("last error"))
    def last_error_text(self, account: ConnectedAccount) -> str:
        return _explained(account.last_error)

    @admin.display(description=_("stored"))
    def stored_tokens(self, account: ConnectedAccount) -> str:
        """Say which tokens there are, and whether they open; never what they are."""
        if account.access_token is None and account.refresh_token is None:
            return gettext("No token.")
        names = [
            str(ConnectedAccount._meta.get_field(name).verbose_name)  # type: ignore[union-attr]
            for name in ("access_token", "refresh_token")
            if getattr(account, name) is not None
        ]
        try:
            closed = account.is_undecryptable()
        except ImproperlyConfigured as error:
            return str(error)
        if closed:
            return reasons.describe_account("undecryptable")
        return gettext("Sealed: %(names)s") % {"names": ", ".join(names)}

    @admin.display(description=_("latest events"))
    def history(self, account: ConnectedAccount) -> SafeString:
        events = account.events.select_related("actor")[:EVENTS_SHOWN]
        rows = format_html_join(
            "",
            "<li>{}: {}{}{}</li>",
            (
                (
                    localize(localtime(event.created_at)),
                    event.get_kind_display(),
                    f" ({event.reason})" if event.reason else "",
                    f", {event.actor}" if event.actor else "",
                )
                for event in events
            ),
        )
        address = reverse("admin:oauth_accounts_accountevent_changelist")
        return format_html(
            '<ul>{}</ul><a href="{}?account_key={}">{}</a>',
            rows,
            address,
            account.pk,
            gettext("All events"),
        )


def _explained(code: str) -> str:
    text = reasons.describe_account(code)
    return code if text == code else f"{text} ({code})"
