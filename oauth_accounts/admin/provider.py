"""Providers in the admin: settings of the client, secrets that are only ever entered."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters

from oauth_accounts import moving
from oauth_accounts.admin import (
    addresses,
    breaker,
    comparison,
    consent,
    sections,
    starting,
    stored,
    tallies,
    trial,
)
from oauth_accounts.admin.entered import ENTERED, mask_entered
from oauth_accounts.admin.facts import ProviderFacts
from oauth_accounts.admin.lists import CheckedList
from oauth_accounts.admin.obstacles import obstacle_of
from oauth_accounts.admin.own_page import address_of
from oauth_accounts.forms import SECRET_FIELDS, ProviderForm
from oauth_accounts.guidance import HELP
from oauth_accounts.models import Provider


@admin.register(Provider)
class ProviderAdmin(ProviderFacts, CheckedList):
    form = ProviderForm
    change_form_template = "oauth_accounts/admin/provider_form.html"
    # Deleted one at a time, with a word about the accounts that stand in the way.
    actions = None
    list_display = ("name", "slug", "state", "account_count", "refreshes", "source")
    list_filter = ("enabled", "source")
    list_per_page = 20
    search_fields = ("name", "slug", "issuer")

    class Media:
        css: ClassVar = {
            "all": [
                "oauth_accounts/admin.css",
                "oauth_accounts/admin-providers.css",
            ]
        }
        js: ClassVar = ["oauth_accounts/admin-copy.js"]

    # What the page shows

    def get_fieldsets(self, request: HttpRequest, obj: Provider | None = None) -> Any:
        return sections.fieldsets_of(
            obj,
            writable=self._is_writable(request, obj),
            operates=self.may_operate(request),
        )

    def get_form(
        self, request: HttpRequest, obj: Provider | None = None, *args: Any, **kw: Any
    ) -> Any:
        if not self._is_writable(request, obj):
            # Whoever may only look is not told what to enter.
            kw["help_texts"] = dict.fromkeys(HELP, "")
        return super().get_form(request, obj, *args, **kw)

    def get_readonly_fields(
        self, request: HttpRequest, obj: Provider | None = None
    ) -> Any:
        hints = (f"{name}_hint" for name in SECRET_FIELDS)
        always = (*self.names_of_facts, *hints)
        if obj is None:
            return always
        # Part of the redirect URI that is registered at the provider.
        locked = ("slug", "exclusive_subjects") if obj.accounts.exists() else ("slug",)
        return (*always, *locked)

    def get_object(self, *args: Any, **kwargs: Any) -> Provider | None:
        provider = super().get_object(*args, **kwargs)
        if provider is not None:
            sections.note_stored(provider)
        return provider

    def get_prepopulated_fields(
        self, request: HttpRequest, obj: Provider | None = None
    ) -> Any:
        return {} if obj else {"slug": ("name",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Provider]:
        return tallies.with_tallies(super().get_queryset(request))

    def get_changeform_initial_data(self, request: HttpRequest) -> Any:
        usual = super().get_changeform_initial_data(request)
        return starting.initial_values(request, usual)

    # Who may change what

    def may_operate(self, request: HttpRequest) -> bool:
        """Say whether the user may test and resume, also a provider of the settings."""
        return super().has_change_permission(request)

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
        views: dict[str, Any] = {
            "resume": partial(breaker.resume_view, modeladmin=self),
            "test": partial(trial.trial_view, modeladmin=self),
            "compare": self.compare_view,
        }
        pages = [
            path(
                f"<path:object_id>/{name}/",
                self.admin_site.admin_view(view),
                name=f"oauth_accounts_provider_{name}",
            )
            for name, view in views.items()
        ]
        issuer = path(
            "add/issuer/",
            self.admin_site.admin_view(partial(starting.issuer_view, modeladmin=self)),
            name="oauth_accounts_provider_issuer",
        )
        # Before Django's own, which take any path for the key of a provider.
        return [issuer, *pages, *super().get_urls()]

    @method_decorator(sensitive_post_parameters(*ENTERED))
    def compare_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show the provider beside its metadata."""
        mask_entered(request, ENTERED)
        return comparison.compare_view(request, self, object_id)

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        form = context["adminform"].form
        if provider := context.get("original"):
            moving.record_guesses(provider, form.guessed, request.user)
            self._prepare(context["adminform"], provider)
        else:
            context["issuer_address"] = address_of(self, "issuer")
            context["offer"] = starting.offered(request)
        return super().render_change_form(request, context, *args, **kwargs)

    def _prepare(self, adminform: Any, provider: Provider) -> None:
        """Show of secrets what may be shown, and ask for consent where it is needed."""
        form = adminform.form
        asked = consent.is_asked_for(form)
        if asked:
            adminform.fieldsets = [
                consent.fieldset(form, provider),
                *adminform.fieldsets,
            ]
        stored.fold_secrets(form, provider, needed=asked)

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
            addresses.follow_up(
                self, request, obj, before, was_in_doubt=form.was_in_doubt
            )

    def construct_change_message(
        self, request: HttpRequest, form: Any, *args: Any, **kwargs: Any
    ) -> Any:
        # What was entered to show that one knows it has not changed.
        proved = {f"new_{name}" for name in form.confirmed}
        form.changed_data = [n for n in form.changed_data if n not in proved]
        return super().construct_change_message(request, form, *args, **kwargs)

    def delete_view(
        self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        provider = self.get_object(request, unquote(object_id))
        # How many accounts there are is not for everybody to know.
        allowed = provider is not None and self.has_delete_permission(request, provider)
        if provider is not None and allowed and (obstacle := obstacle_of(provider)):
            self.message_user(request, obstacle, messages.ERROR)
            return HttpResponseRedirect(address_of(self, "change", provider))
        response: HttpResponse = super().delete_view(
            request, object_id, *args, **kwargs
        )
        return response
