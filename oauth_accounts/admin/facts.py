"""What a provider's page and the list say beside the fields that somebody enters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from oauth_accounts.admin import (
    addresses,
    breaker,
    comparison,
    condition,
    history,
    stored,
    tallies,
    trial,
)
from oauth_accounts.exceptions import ProviderMisconfigured
from oauth_accounts.guidance import SEPARATORS
from oauth_accounts.models import Provider
from oauth_accounts.registration import redirect_uri

if TYPE_CHECKING:
    _Base = admin.ModelAdmin[Provider]
else:
    _Base = object

# Stands where the slug goes while there is none.
SLUG = "slug"


class ProviderFacts(_Base):
    """Columns and read-only fields of ProviderAdmin."""

    names_of_facts = (
        "state",
        "callback",
        "calls",
        "resume",
        "alteration",
        "comparison",
        "account_count",
        "refreshes",
        "test",
        "scopes_shown",
        "descriptions_shown",
        "separator_shown",
    )

    @admin.display(description=_("accounts"), ordering="_accounts")
    def account_count(self, provider: Any) -> str:
        # Not named as the relation: the list would be sorted by joining it.
        return tallies.in_words(provider._accounts)

    @admin.display(description=_("refreshes in 24 hours"))
    def refreshes(self, provider: Provider) -> str:
        return tallies.refreshes(provider)

    @admin.display(description=_("state"))
    def state(self, provider: Provider) -> str:
        return condition.shown(provider)

    @admin.display(description=_("circuit breaker"))
    def calls(self, provider: Provider) -> str:
        return breaker.description(provider)

    @admin.display(description=_("after a repair"))
    def resume(self, provider: Provider) -> str:
        return breaker.link(self, provider)

    @admin.display(description=_("test"))
    def test(self, provider: Provider) -> str:
        return trial.link(self, provider)

    @admin.display(description=_("what differs"))
    def alteration(self, provider: Provider) -> str:
        return addresses.description(provider)

    @admin.display(description=_("metadata"))
    def comparison(self, provider: Provider) -> str:
        return comparison.link(self, provider)

    # In the place of fields, for who may not change them.

    @admin.display(description=_("Scopes"))
    def scopes_shown(self, provider: Provider) -> str:
        return history.scopes(provider.scopes)

    @admin.display(description=_("Scopes in words"))
    def descriptions_shown(self, provider: Provider) -> str | None:
        described = provider.scope_descriptions or {}
        lines = format_html_join("", "<li><code>{}</code> {}</li>", described.items())
        if not lines:
            return None
        return format_html('<ul class="oauth-accounts-scopes">{}</ul>', lines)

    @admin.display(description=_("Scope separator"))
    def separator_shown(self, provider: Provider) -> str:
        return str(dict(SEPARATORS).get(provider.scope_separator, "–"))

    @admin.display(description=_("redirect URI"))
    def callback(self, provider: Provider) -> str:
        if provider._state.adding:
            return _address_to_come()
        try:
            address = redirect_uri(None, provider)
        except ProviderMisconfigured:
            path = reverse("oauth_accounts:callback", args=[provider.slug])
            return gettext(
                "Set OAUTH_ACCOUNTS_BASE_URL; it will be that address plus %(path)s"
            ) % {"path": path}
        except NoReverseMatch:
            return gettext("Include oauth_accounts.urls in the URLs of the project.")
        return format_html(
            '<span class="oauth-accounts-copy"><input type="text" readonly value="{}" '
            'class="vLargeTextField" aria-label="{}" data-oauth-accounts-copy="{}" '
            'data-oauth-accounts-copied="{}"></span>',
            address,
            gettext("Redirect URI"),
            gettext("Copy"),
            gettext("Copied"),
        )

    @admin.display(description=_("client secret"))
    def client_secret_hint(self, provider: Provider) -> str:
        return stored.description(provider, "client_secret")

    @admin.display(description=_("previous client secret"))
    def previous_client_secret_hint(self, provider: Provider) -> str:
        return stored.description(provider, "previous_client_secret")

    @admin.display(description=_("private key"))
    def private_key_hint(self, provider: Provider) -> str:
        return stored.description(provider, "private_key")


def _address_to_come() -> str:
    """Return what the redirect URI is going to be, for a provider without a slug."""
    said = gettext("Save the provider to see what to register there.")
    try:
        address = redirect_uri(None, Provider(slug=SLUG))
    except (ProviderMisconfigured, NoReverseMatch):
        return said
    start, _slug, end = address.rpartition(SLUG)
    return format_html("{} <code>{}<em>{}</em>{}</code>", said, start, _("slug"), end)
