"""Addresses within the site at hand; "" for what it does not have, or not for this user."""

from __future__ import annotations

from typing import Any

from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from oauth_accounts.models import ConnectedAccount, PendingRevocation, Provider


class Links:
    """
    Where a user may go from a page that tells of many things.

    request: whose user it is. site: the AdminSite at hand.
    """

    def __init__(self, request: HttpRequest, site: Any) -> None:
        self._request = request
        self._site = site
        self._allowed: dict[tuple[type[Model], str], bool] = {}

    def accounts(self, **filters: Any) -> str:
        """Return the list of accounts. filters: as its own links spell them."""
        return self._page(ConnectedAccount, "changelist", **filters)

    def accounts_at(self, provider: Provider, **filters: Any) -> str:
        """Return the list of the accounts at one provider."""
        return self.accounts(provider__id__exact=provider.pk, **filters)

    def provider(self, provider: Provider) -> str:
        """Return the page of a provider."""
        return self._page(Provider, "change", provider.pk)

    def providers(self) -> str:
        """Return the list of providers."""
        return self._page(Provider, "changelist")

    def add_provider(self) -> str:
        """Return the form for a new provider."""
        return self._page(Provider, "add")

    def revocations(self, **filters: Any) -> str:
        """Return the list of revocations."""
        return self._page(PendingRevocation, "changelist", **filters)

    def _page(self, model: type[Model], page: str, *args: Any, **filters: Any) -> str:
        if not self._may(model, "add" if page == "add" else "view"):
            return ""
        address = reverse(
            f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}",
            args=args,
            current_app=self._site.name,
        )
        return f"{address}?{urlencode(filters)}" if filters else address

    def _may(self, model: type[Model], action: str) -> bool:
        known = self._allowed.get((model, action))
        if known is None:
            known = self._allowed[model, action] = self._asks(model, action)
        return known

    def _asks(self, model: type[Model], action: str) -> bool:
        if not self._site.is_registered(model):
            return False
        modeladmin = self._site.get_model_admin(model)
        return bool(getattr(modeladmin, f"has_{action}_permission")(self._request))


def linked(text: str, address: str) -> SafeString:
    """Return a text, as a link where there is an address."""
    if not address:
        return format_html("{}", text)
    return format_html('<a href="{}">{}</a>', address, text)
