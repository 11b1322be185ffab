"""Connected accounts in the admin: everything about them but their tokens."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import ImproperlyConfigured
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from oauth_accounts import reasons
from oauth_accounts.admin import (
    advice,
    badges,
    filters,
    history,
    labels,
    moments,
    search,
)
from oauth_accounts.admin.actions import DEEDS, list_actions, may, one_view
from oauth_accounts.admin.readonly import ReadOnlyAdmin, sealed_columns
from oauth_accounts.bulk import Kind
from oauth_accounts.eligibility import obstacle
from oauth_accounts.models import (
    AuthorizationAttempt,
    BulkAction,
    ConnectedAccount,
    Provider,
)

ABOUT_PROVIDERS = {"provider_in_doubt", "provider_disabled", "provider_paused"}


@admin.register(ConnectedAccount)
class ConnectedAccountAdmin(ReadOnlyAdmin):
    list_display = (
        "name",
        "provider",
        "state_and_reason",
        "expires",
        "owner",
        "connected",
    )
    list_filter = (
        filters.AccountStatusFilter,
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
    actions = list_actions()
    change_form_template = "oauth_accounts/admin/account.html"
    delete_confirmation_template = "oauth_accounts/admin/delete_account.html"
    delete_selected_confirmation_template = "oauth_accounts/admin/delete_accounts.html"
    fieldsets = (
        (None, {"fields": ("provider", "owner", "connected_by", "uid", "label")}),
        (
            _("State"),
            {
                "fields": (
                    "state",
                    "situation",
                    "what_to_do",
                    "last_error_text",
                    "failure_count",
                    "due",
                    "revocation",
                )
            },
        ),
        (
            _("Tokens"),
            {
                "fields": (
                    "stored_tokens",
                    "expires",
                    "refresh_token_expires",
                    "issued",
                    "refreshed",
                    "key_id",
                )
            },
        ),
        (_("Permissions"), {"fields": ("granted", "requested")}),
        (_("History"), {"fields": ("history",)}),
        (
            _("Details"),
            {"fields": ("api_base_url", "profile", "metadata", "connected")},
        ),
    )

    class Media:
        css: ClassVar = {
            "all": ["oauth_accounts/admin.css", "oauth_accounts/admin-accounts.css"]
        }

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        sealed = (f"provider__{name}" for name in sealed_columns(Provider))
        return super().get_queryset(request).defer(*sealed)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return search.accounts(queryset, search_term), False

    # Who may do what

    def has_refresh_permission(self, request: HttpRequest) -> bool:
        return self._may(request, "refresh")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return self._may(request, "revoke")

    def has_require_reauth_permission(self, request: HttpRequest) -> bool:
        return self._may(request, "require_reauth")

    def has_disable_permission(self, request: HttpRequest) -> bool:
        return self._may(request, "disable")

    def _may(self, request: HttpRequest, action: str) -> bool:
        return request.user.has_perm(f"oauth_accounts.{action}_connectedaccount")

    # Pages

    def get_urls(self) -> Any:
        act = path(
            "<path:object_id>/act/<slug:kind>/",
            self.admin_site.admin_view(partial(one_view, modeladmin=self)),
            name="oauth_accounts_connectedaccount_act",
        )
        # Before Django's own, which take any path for the key of an account.
        return [act, *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        account = context["original"]
        context["deeds"] = [
            (self._act_address(account, kind), BulkAction.Kind(kind).label)
            for kind in self._open_deeds(request, account)
        ]
        return super().render_change_form(request, context, *args, **kwargs)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        account = self.get_object(request, unquote(object_id))
        context = dict(extra_context or {})
        if account is not None and Kind.REVOKE in self._open_deeds(request, account):
            context["revoke_url"] = self._act_address(account, Kind.REVOKE)
        response: HttpResponse = super().delete_view(request, object_id, context)
        return response

    def _open_deeds(self, request: HttpRequest, account: ConnectedAccount) -> list[str]:
        """
        Return what this user can do to the account as it is now.

        What only its provider stands against is among them: the question says so.
        """
        return [
            kind
            for kind in DEEDS
            if may(self, request, kind, account)
            and obstacle(kind, account) in {"", *ABOUT_PROVIDERS}
        ]

    def _act_address(self, account: ConnectedAccount, kind: str) -> str:
        return reverse(
            "admin:oauth_accounts_connectedaccount_act",
            args=[account.pk, kind],
            current_app=self.admin_site.name,
        )

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Ask for no permission on attempts: they go with their account, as details."""
        found, counts, needed, protected = super().get_deleted_objects(objs, request)
        needed = needed - {AuthorizationAttempt._meta.verbose_name}
        return found, counts, needed, protected

    # Columns

    @admin.display(description=_("account"))
    def name(self, account: ConnectedAccount) -> SafeString:
        return labels.short(account)

    @admin.display(description=_("state"))
    def state(self, account: ConnectedAccount) -> str:
        pills = ((badges.pill(state),) for state in advice.states_of(account))
        return format_html_join(" ", "{}", pills)

    # One column: beside filters and navigation there is room for few.
    @admin.display(description=_("state"))
    def state_and_reason(self, account: ConnectedAccount) -> str:
        # What to do about it stands on the account's own page.
        return format_html("{} {}", self.state(account), advice.reason_for(account))

    @admin.display(description=_("expires"))
    def expires(self, account: ConnectedAccount) -> SafeString | None:
        # Its tokens are deleted here; when they would have expired is of no interest.
        ended = account.status == ConnectedAccount.Status.REVOKED
        return None if ended else moments.relative(account.expires_at)

    @admin.display(description=_("last refresh"))
    def refreshed(self, account: ConnectedAccount) -> SafeString | None:
        return moments.relative(account.last_refreshed_at)

    @admin.display(description=_("connected"), ordering="created_at")
    def connected(self, account: ConnectedAccount) -> SafeString | None:
        return moments.relative(account.created_at)

    # Fields

    @admin.display(description=_("reason"))
    def situation(self, account: ConnectedAccount) -> str | None:
        said, code = advice.reason_for(account), account.status_reason
        return f"{said} ({code})" if code else said or None

    @admin.display(description=_("what to do"))
    def what_to_do(self, account: ConnectedAccount) -> str:
        return advice.next_step(account) or gettext("Nothing.")

    @admin.display(description=_("last error"))
    def last_error_text(self, account: ConnectedAccount) -> str | None:
        return history.explained(account.last_error) or None

    @admin.display(description=_("refresh due"))
    def due(self, account: ConnectedAccount) -> SafeString | None:
        return moments.relative(account.refresh_due_at)

    @admin.display(description=_("at the provider"))
    def revocation(self, account: ConnectedAccount) -> str:
        if account.status != ConnectedAccount.Status.REVOKED:
            return gettext("Not revoked.")
        return history.revocation(account)

    @admin.display(description=_("refresh token expires"))
    def refresh_token_expires(self, account: ConnectedAccount) -> SafeString | None:
        return moments.relative(account.refresh_token_expires_at)

    @admin.display(description=_("issued"))
    def issued(self, account: ConnectedAccount) -> SafeString | None:
        return moments.relative(account.issued_at)

    @admin.display(description=_("granted"))
    def granted(self, account: ConnectedAccount) -> str:
        return history.scopes(account.scopes)

    @admin.display(description=_("asked for"))
    def requested(self, account: ConnectedAccount) -> str:
        return history.scopes(account.requested_scopes)

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
        return history.table(account, self.admin_site.name)
