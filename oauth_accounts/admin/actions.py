"""
What administrators do to accounts: each action asks first, and answers on a page of its own.

A question says how many accounts there are, and which of them are passed over and why. The
answer is an order, see `bulk`: a few accounts are done while somebody waits, many are left to
the workers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected as django_delete_selected
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext, ngettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from oauth_accounts import bulk, reasons, workers
from oauth_accounts.admin import foresight
from oauth_accounts.admin.own_page import own_page
from oauth_accounts.bulk import Kind
from oauth_accounts.eligibility import obstacle
from oauth_accounts.models import BulkAction, ConnectedAccount

# More than this, or longer than this, and the workers do it: somebody waits for the page.
MAX_NOW = 100
MAX_SECONDS = 20.0
SHOWN = 50
# Deleting reads all that goes with an account, and does it while somebody waits.
MAX_DELETED = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Deed:
    """One of the actions."""

    name: str
    """Of the action in the list."""
    permission: str
    """First word of its codename."""
    question: Any
    """For one account and for several, by `ngettext_lazy`."""

    is_grave: bool = False
    """It cannot be taken back here."""


DEEDS: dict[str, Deed] = {
    Kind.REFRESH: Deed(
        name="refresh_now",
        permission="refresh",
        question=ngettext_lazy(
            "Its provider is asked for a new token now.",
            "Their providers are asked for new tokens now.",
        ),
    ),
    Kind.REVOKE: Deed(
        name="revoke_selected",
        permission="revoke",
        question=ngettext_lazy(
            "It stops working at once, its tokens are deleted here, and its provider is "
            "told. Only its owner can bring it back, by connecting again. Its history is "
            "kept.",
            "They stop working at once, their tokens are deleted here, and their "
            "providers are told. Only their owners can bring them back, by connecting "
            "again. Their history is kept.",
        ),
        is_grave=True,
    ),
    Kind.REQUIRE_REAUTH: Deed(
        name="require_reauth_selected",
        permission="require_reauth",
        question=ngettext_lazy(
            "It stops working until its owner connects it again. Its provider is not "
            "told, and nothing is deleted.",
            "They stop working until their owners connect them again. Their providers "
            "are not told, and nothing is deleted.",
        ),
        is_grave=True,
    ),
    Kind.DISABLE: Deed(
        name="disable_selected",
        permission="disable",
        question=ngettext_lazy(
            "It stops working and is not refreshed until it is enabled again. Its tokens "
            "are kept; some providers let go of tokens that are not used.",
            "They stop working and are not refreshed until they are enabled again. "
            "Their tokens are kept; some providers let go of tokens that are not used.",
        ),
    ),
    Kind.ENABLE: Deed(
        name="enable_selected",
        permission="disable",
        question=ngettext_lazy(
            "It may be used again, unless it needed its owner before: then it still does.",
            "They may be used again, except those that needed their owners before: they "
            "still do.",
        ),
    ),
}


def list_actions() -> list[Callable[..., Any]]:
    """Return the actions of the list of accounts."""
    return [*(_action(kind, deed) for kind, deed in DEEDS.items()), delete_selected]


def _action(kind: str, deed: Deed) -> Callable[..., Any]:
    def act(modeladmin: Any, request: HttpRequest, queryset: Any) -> HttpResponse:
        if request.POST.get("confirmed") == "yes":
            return _begin(modeladmin, request, queryset, kind)
        return _ask(modeladmin, request, queryset, kind)

    act.__name__ = deed.name
    decorate = admin.action(
        description=BulkAction.Kind(kind).label, permissions=[deed.permission]
    )
    decorated: Callable[..., Any] = decorate(act)
    return decorated


@admin.action(
    description=_("Delete selected %(verbose_name_plural)s"), permissions=["delete"]
)
def delete_selected(
    modeladmin: Any, request: HttpRequest, queryset: QuerySet[ConnectedAccount]
) -> HttpResponse | None:
    """Delete, but no more than a page can do; revoking has no such limit."""
    if len(queryset.order_by().values_list("pk")[: MAX_DELETED + 1]) > MAX_DELETED:
        text = gettext(
            "More than %(number)d accounts are too many to delete at once. Choose fewer, "
            "or revoke them, which keeps their history."
        ) % {"number": MAX_DELETED}
        modeladmin.message_user(request, text, messages.WARNING)
        return None
    response: HttpResponse | None = django_delete_selected(
        modeladmin, request, queryset
    )
    if isinstance(response, TemplateResponse):
        context: Any = response.context_data
        context["may_revoke"] = modeladmin.has_revoke_permission(request)
    return response


@require_http_methods(["GET", "POST"])
def one_view(
    request: HttpRequest, modeladmin: Any, object_id: str, kind: str
) -> HttpResponse:
    """Ask about one account, and on POST do it."""
    account = modeladmin.get_object(request, unquote(object_id))
    if account is None or kind not in DEEDS:
        raise Http404
    if not may(modeladmin, request, kind, account):
        raise PermissionDenied
    rows = modeladmin.get_queryset(request).filter(pk=account.pk)
    if request.method == "POST":
        return _begin(modeladmin, request, rows, kind)
    return _ask(modeladmin, request, rows, kind, account)


def may(modeladmin: Any, request: HttpRequest, kind: str, account: Any) -> bool:
    """Say whether the user may do it, and may see the account at all."""
    allowed = getattr(modeladmin, f"has_{DEEDS[kind].permission}_permission")
    return bool(modeladmin.has_view_permission(request, account) and allowed(request))


def _ask(
    modeladmin: Any,
    request: HttpRequest,
    queryset: QuerySet[ConnectedAccount],
    kind: str,
    account: ConnectedAccount | None = None,
) -> HttpResponse:
    outlook = foresight.foresee(kind, queryset, most_now=MAX_NOW)
    total, concerned = outlook.total, outlook.concerned
    shown = list(queryset.select_related("provider", "owner")[:SHOWN])
    return own_page(
        request,
        modeladmin,
        "confirm.html",
        title=BulkAction.Kind(kind).label,
        original=account,
        deed=DEEDS[kind],
        total=total,
        concerned=concerned,
        too_many=total > bulk.MAX_ACCOUNTS and bulk.MAX_ACCOUNTS,
        is_left_to_workers=total > MAX_NOW,
        question=DEEDS[kind].question % concerned,
        passed_over=outlook.passed_over,
        shown=[(one, explain(obstacle(kind, one))) for one in shown],
        more=total - len(shown),
        checkbox_name=ACTION_CHECKBOX_NAME,
        selected=request.POST.getlist(ACTION_CHECKBOX_NAME),
        select_across=request.POST.get("select_across", "0"),
    )


def _begin(
    modeladmin: Any,
    request: HttpRequest,
    queryset: QuerySet[ConnectedAccount],
    kind: str,
) -> HttpResponse:
    rows = queryset.order_by().values_list("pk", flat=True)
    keys = list(rows[: bulk.MAX_ACCOUNTS + 1])
    if not keys or len(keys) > bulk.MAX_ACCOUNTS:
        text = gettext("Nothing was done: the selection has changed meanwhile.")
        modeladmin.message_user(request, text, messages.WARNING)
        return HttpResponseRedirect(request.get_full_path())
    order = bulk.start(kind, keys, request.user)
    if order.total <= MAX_NOW:
        bulk.run(order, MAX_SECONDS, at_once=True)
    if order.finished_at is None:
        _leave_to_workers(modeladmin, request)
    address = reverse(
        "admin:oauth_accounts_bulkaction_change",
        args=[order.pk],
        current_app=modeladmin.admin_site.name,
    )
    return HttpResponseRedirect(address)


def _leave_to_workers(modeladmin: Any, request: HttpRequest) -> None:
    if workers.tell("run_bulk_actions"):
        text = gettext("The workers go on in the background; this page shows how far.")
    else:
        text = gettext(
            "No worker was told: the next run of Celery beat or of “manage.py "
            "oauth_accounts refresh” goes on; this page shows how far."
        )
    modeladmin.message_user(request, text, messages.INFO)


def explain(reason: str) -> str:
    """Say why an account is passed over, or what went wrong; "" for nothing."""
    if reason in ConnectedAccount.Status.values:
        label = ConnectedAccount.Status(reason).label
        return gettext("Its status is “%(status)s”.") % {"status": label}
    return reasons.describe_account(reason)
