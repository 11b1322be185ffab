"""What was ordered for many accounts, how far it is, and what became of each of them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from oauth_accounts import bulk
from oauth_accounts.admin import badges
from oauth_accounts.admin.actions import explain
from oauth_accounts.admin.filters import BulkKindFilter
from oauth_accounts.admin.readonly import RecordAdmin
from oauth_accounts.models import (
    BulkAction,
    BulkItem,
    ConnectedAccount,
    PendingRevocation,
)

PER_PAGE = 100
OPEN = (BulkItem.Outcome.WAITING, BulkItem.Outcome.QUEUED)


@admin.register(BulkAction)
class BulkActionAdmin(badges.Styled, RecordAdmin):
    list_display = ("created_at", "kind", "total", "state", "actor")
    list_filter = (BulkKindFilter,)
    list_select_related = ("actor",)
    sortable_by = ("created_at",)
    fields = ("kind", "actor", "created_at", "state", "total")
    change_form_template = "oauth_accounts/admin/bulk_action.html"

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let whoever sees the accounts see what was done to them, and no one else."""
        return request.user.has_perm("oauth_accounts.view_connectedaccount")

    @admin.display(description=_("state"))
    def state(self, action: BulkAction) -> str:
        if action.finished_at is None:
            return badges.toned(badges.INFO, gettext("Under way"))
        return badges.toned(badges.GOOD, gettext("Finished"))

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        order: BulkAction = context["original"]
        pages = Paginator(order.items.order_by("pk"), PER_PAGE)
        page: Any = pages.get_page(request.GET.get("page"))
        counts = dict(
            order.items.order_by().values_list("outcome").annotate(Count("pk"))
        )
        context["results"] = _results(order, list(page))
        context["page"] = page
        context["page_numbers"] = pages.get_elided_page_range(page.number)
        context["done"] = order.total - sum(counts.get(one, 0) for one in OPEN)
        context["counts"] = [
            (badges.pill(f"item_{one}"), counts[one])
            for one in BulkItem.Outcome.values
            if one in counts
        ]
        return super().render_change_form(request, context, *args, **kwargs)


def _results(order: BulkAction, items: list[BulkItem]) -> list[dict[str, Any]]:
    """Return a row for each item, with what is known of it now."""
    keys = [item.account_key for item in items]
    rows = ConnectedAccount.objects.select_related("provider", "owner")
    shown = "label", "uid", "provider__name", "owner"
    accounts = rows.only(*shown).in_bulk(keys)
    queued = [i.account_key for i in items if i.outcome == BulkItem.Outcome.QUEUED]
    fresh = bulk.refreshed(order, queued) if queued else {}
    told = _revocations(order, keys)
    results = []
    for item in items:
        outcome, reason = fresh.get(item.account_key, (item.outcome, item.reason))
        results.append(
            {
                "key": item.account_key,
                "account": accounts.get(item.account_key),
                "outcome": badges.pill(f"item_{outcome}"),
                "said": _said(order.kind, outcome, reason),
                "revocation": told.get(item.account_key, "")
                if outcome == BulkItem.Outcome.DONE
                else "",
            }
        )
    return results


def _revocations(order: BulkAction, keys: list[Any]) -> dict[Any, str]:
    """Return how far the providers were told, by account."""
    if order.kind != bulk.Kind.REVOKE:
        return {}
    rows = PendingRevocation.objects.filter(
        account__in=keys, created_at__gte=order.created_at
    )
    columns = rows.order_by("created_at").values_list("account_id", "status")
    return {key: badges.pill(status) for key, status in columns}


DONE = {
    bulk.Kind.REFRESH: _("It has a new token."),
    bulk.Kind.REVOKE: _("It was stopped here."),
    bulk.Kind.REQUIRE_REAUTH: _("Its owner has to connect it again."),
    bulk.Kind.DISABLE: _("It is disabled."),
    bulk.Kind.ENABLE: _("It is enabled."),
}


def _said(kind: str, outcome: str, reason: str) -> str:
    if outcome == BulkItem.Outcome.DONE:
        return f"{DONE[bulk.Kind(kind)]} {explain(reason) if reason else ''}".rstrip()
    if outcome == BulkItem.Outcome.QUEUED:
        return gettext("The next sweep refreshes it, once its provider can be called.")
    return explain(reason) if reason else ""
