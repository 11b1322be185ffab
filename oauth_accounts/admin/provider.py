"""Providers in the admin: settings of the client, secrets that are only ever entered."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from oauth_accounts import moving
from oauth_accounts.admin import addresses, breaker, comparison, page
from oauth_accounts.admin.entered import ENTERED, mask_entered
from oauth_accounts.admin.lists import CheckedList
from oauth_accounts.admin.obstacles import obstacle_of
from oauth_accounts.exceptions import ProviderMisconfigured
from oauth_accounts.forms import SECRET_FIELDS, ProviderForm
from oauth_accounts.models import Provider
from oauth_accounts.models.provider import missing_configuration
from oauth_accounts.registration import redirect_uri


@admin.register(Provider)
class ProviderAdmin(CheckedList):
    form = ProviderForm
    # Deleted one at a time, with a word about the accounts that stand in the way.
    actions = None
    list_display = ("name", "slug", "enabled", "state", "accounts", "source")
    list_filter = ("enabled", "source")
    search_fields = ("name", "slug", "issuer")
    fields_of_page: ClassVar = {
        None: ("name", "slug", "enabled", "state", "callback"),
        _("Client"): ("client_id", "token_endpoint_auth_method", *SECRET_FIELDS),
        _("Endpoints"): (
            "issuer",
            "authorization_endpoint",
            "token_endpoint",
            "revocation_endpoint",
            "userinfo_endpoint",
            "jwks_uri",
            "api_base_url",
            "comparison",
        ),
        _("Permissions and identity"): (
            "scopes",
            "scope_descriptions",
            "scope_separator",
            "uid_path",
            "label_path",
            "grants_url",
            "exclusive_subjects",
        ),
        _("Refreshing"): (
            "default_lifetime",
            "refresh_margin",
            "keepalive_interval",
            "max_refreshes_per_minute",
        ),
        _("Special requirements"): (
            "authorization_params",
            "token_params",
            "refresh_params",
            "authorization_response_iss_parameter_supported",
            "code_challenge_methods_supported",
        ),
    }

    # What the page shows

    def get_fieldsets(self, request: HttpRequest, obj: Provider | None = None) -> Any:
        writable = self._is_writable(request, obj)
        fieldsets: list[tuple[Any, dict[str, Any]]] = [
            (title, {"fields": page.shown_fields(names, obj, writable)})
            for title, names in self.fields_of_page.items()
        ]
        if obj is not None:
            resume = ("resume",) if self._is_resumable(request, obj) else ()
            fieldsets.insert(1, (_("Calls"), {"fields": ("calls", *resume)}))
        if obj is not None and moving.altered_addresses(obj):
            accept = ("accept_addresses",) if writable else ()
            fieldsets.insert(
                1, (_("Addresses in doubt"), {"fields": ("alteration", *accept)})
            )
        if obj is not None and obj.source == Provider.Source.SETTINGS:
            fieldsets[0][1]["description"] = _(
                "This provider is kept in the setting OAUTH_ACCOUNTS_PROVIDERS. Change "
                "it there and run: manage.py oauth_accounts sync-providers"
            )
        return fieldsets

    def get_readonly_fields(
        self, request: HttpRequest, obj: Provider | None = None
    ) -> Any:
        hints = (f"{name}_hint" for name in SECRET_FIELDS)
        shown = ("state", "callback", "calls", "resume", "alteration", "comparison")
        always = (*shown, *hints)
        if obj is None:
            return always
        # Part of the redirect URI that is registered at the provider.
        locked = ("slug", "exclusive_subjects") if obj.accounts.exists() else ("slug",)
        return (*always, *locked)

    def get_object(self, *args: Any, **kwargs: Any) -> Provider | None:
        provider = super().get_object(*args, **kwargs)
        if provider is not None:
            page.note_stored(provider)
        return provider

    def get_prepopulated_fields(
        self, request: HttpRequest, obj: Provider | None = None
    ) -> Any:
        return {} if obj else {"slug": ("name",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Provider]:
        rows: QuerySet[Provider] = super().get_queryset(request)
        return rows.annotate(_accounts=Count("accounts"))

    @admin.display(description=_("accounts"), ordering="_accounts")
    def accounts(self, provider: Any) -> int:
        return int(provider._accounts)

    @admin.display(description=_("state"))
    def state(self, provider: Provider) -> str:
        if provider._state.adding:
            return gettext("Not saved yet.")
        if not provider.enabled:
            return gettext("Disabled: nobody can connect, nothing is refreshed.")
        if in_doubt := addresses.summary(provider):
            return in_doubt
        if names := missing_configuration(provider):
            labels = ", ".join(_label(name) for name in names)
            return gettext("Incomplete; enter: %(names)s") % {"names": labels}
        return breaker.summary(provider) or gettext("Ready")

    @admin.display(description=_("circuit breaker"))
    def calls(self, provider: Provider) -> str:
        return breaker.description(provider)

    @admin.display(description=_("after a repair"))
    def resume(self, provider: Provider) -> str:
        return breaker.link(self, provider)

    @admin.display(description=_("what differs"))
    def alteration(self, provider: Provider) -> str:
        return addresses.description(provider)

    @admin.display(description=_("metadata"))
    def comparison(self, provider: Provider) -> str:
        return comparison.link(self, provider)

    @admin.display(description=_("redirect URI"))
    def callback(self, provider: Provider) -> str:
        if not provider.slug:
            return gettext("Save the provider to see what to register there.")
        try:
            address = redirect_uri(None, provider)
        except ProviderMisconfigured:
            path = reverse("oauth_accounts:callback", args=[provider.slug])
            return gettext(
                "Set OAUTH_ACCOUNTS_BASE_URL; it will be that address plus %(path)s"
            ) % {"path": path}
        return format_html("<code>{}</code>", address)

    @admin.display(description=_("client secret"))
    def client_secret_hint(self, provider: Provider) -> str:
        return _stored(provider.client_secret)

    @admin.display(description=_("previous client secret"))
    def previous_client_secret_hint(self, provider: Provider) -> str:
        return _stored(provider.previous_client_secret)

    @admin.display(description=_("private key"))
    def private_key_hint(self, provider: Provider) -> str:
        return _stored(provider.private_key)

    # Who may change what

    def may_resume(self, request: HttpRequest) -> bool:
        """Say whether the user may end a pause, also of a provider of the settings."""
        return super().has_change_permission(request)

    def _is_resumable(self, request: HttpRequest, obj: Provider) -> bool:
        return bool(obj.pause_reason) and self.may_resume(request)

    def _is_writable(self, request: HttpRequest, obj: Provider | None) -> bool:
        if obj is None:
            return self.has_add_permission(request)
        return self.has_change_permission(request, obj)

    def has_change_permission(
        self, request: HttpRequest, obj: Provider | None = None
    ) -> bool:
        allowed = super().has_change_permission(request, obj)
        return allowed and (obj is None or obj.source == Provider.Source.ADMIN)

    def has_delete_permission(
        self, request: HttpRequest, obj: Provider | None = None
    ) -> bool:
        allowed = super().has_delete_permission(request, obj)
        return allowed and (obj is None or obj.source == Provider.Source.ADMIN)

    # What happens

    @method_decorator(sensitive_post_parameters(*ENTERED))
    def changeform_view(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        mask_entered(request, ENTERED)
        return super().changeform_view(request, *args, **kwargs)

    def get_urls(self) -> Any:
        resume = path(
            "<path:object_id>/resume/",
            self.admin_site.admin_view(partial(breaker.resume_view, modeladmin=self)),
            name="oauth_accounts_provider_resume",
        )
        compare = path(
            "<path:object_id>/compare/",
            self.admin_site.admin_view(self.compare_view),
            name="oauth_accounts_provider_compare",
        )
        # Before Django's own, which take any path for the key of a provider.
        return [resume, compare, *super().get_urls()]

    @method_decorator(sensitive_post_parameters(*ENTERED))
    def compare_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show the provider beside its metadata."""
        mask_entered(request, ENTERED)
        return comparison.compare_view(request, self, object_id)

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        if provider := context.get("original"):
            guessed = context["adminform"].form.guessed
            moving.record_guesses(provider, guessed, request.user)
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(
        self, request: HttpRequest, obj: Provider, form: Any, change: bool
    ) -> None:
        before = moving.addresses_before(obj) if change else {}
        if form.accepts_addresses:
            obj.pin()
        super().save_model(request, obj, form, change)
        secrets = form.changed_secrets
        actor: Any = request.user
        for name in secrets:
            obj.events.create(kind="secret_changed", reason=name, actor=actor)
        if change and form.changed_endpoints:
            obj.events.create(
                kind="secret_changed", reason="endpoints_changed", actor=actor
            )
        if secrets or form.changed_endpoints or "client_id" in form.changed_data:
            obj.resume(actor, reason="secret_changed")
        if change:
            addresses.follow_up(self, request, obj, before)

    def delete_view(
        self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        provider = self.get_object(request, unquote(object_id))
        # How many accounts there are is not for everybody to know.
        allowed = provider is not None and self.has_delete_permission(request, provider)
        if provider is not None and allowed and (obstacle := obstacle_of(provider)):
            self.message_user(request, obstacle, messages.ERROR)
            name = "admin:oauth_accounts_provider_change"
            address = reverse(
                name, args=[provider.pk], current_app=self.admin_site.name
            )
            return HttpResponseRedirect(address)
        response: HttpResponse = super().delete_view(
            request, object_id, *args, **kwargs
        )
        return response


def _stored(value: object) -> str:
    return gettext("None is stored.") if value is None else gettext("One is stored.")


def _label(name: str) -> str:
    return str(Provider._meta.get_field(name).verbose_name)  # type: ignore[union-attr]
