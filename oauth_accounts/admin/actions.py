"""What administrators do to accounts: refresh now, revoke. Each asks first and tells after."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import ImproperlyConfigured
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from oauth_accounts import clock, reasons, workers
from oauth_accounts.exceptions import OAuthAccountsError
from oauth_accounts.models import ConnectedAccount

# More than this, or longer than this, and the workers do it: somebody waits for the page.
MAX_NOW = 100
MAX_SECONDS = 20.0
SHOWN = 50


TITLES = {"refresh_now": _("Refresh now"), "revoke_selected": _("Revoke")}


@admin.action(description=TITLES["refresh_now"], permissions=["refresh"])
def refresh_now(
    modeladmin: Any, request: HttpRequest, queryset: QuerySet[ConnectedAccount]
) -> TemplateResponse | None:
    """Refresh the accounts, or have the workers do it when there are many."""
    if request.POST.get("confirmed") != "yes":
        question = _("These accounts get new tokens from their providers now:")
        return _confirm(modeladmin, request, queryset, "refresh_now", question)
    accounts = list(queryset.select_related("provider", "owner")[: MAX_NOW + 1])
    if len(accounts) > MAX_NOW:
        _refresh_later(modeladmin, request, queryset)
        return None
    deadline = time.monotonic() + MAX_SECONDS
    for position, account in enumerate(accounts):
        if time.monotonic() > deadline:
            left = [late.pk for late in accounts[position:]]
            _refresh_later(modeladmin, request, queryset.filter(pk__in=left))
            break
        _refresh_one(modeladmin, request, account)
    return None


@admin.action(description=TITLES["revoke_selected"], permissions=["revoke"])
def revoke_selected(
    modeladmin: Any, request: HttpRequest, queryset: QuerySet[ConnectedAccount]
) -> TemplateResponse | None:
    """Stop the accounts here; the outbox tells the providers."""
    if request.POST.get("confirmed") != "yes":
        question = _(
            "These accounts stop working at once, and their providers are told. Only "
            "their owners can bring them back, by connecting again:"
        )
        return _confirm(modeladmin, request, queryset, "revoke_selected", question)
    number = 0
    for account in _each(queryset):
        if account.status == ConnectedAccount.Status.REVOKED:
            _tell(modeladmin, request, account, gettext("had been revoked before."))
            continue
        try:
            account.revoke(reason="by_admin", actor=request.user)
        except OAuthAccountsError as error:
            _fail(modeladmin, request, account, error.code)
            continue
        number += 1
        if number <= MAX_NOW:
            text = gettext("was revoked here; the provider is going to be told.")
            _tell(modeladmin, request, account, text)
    if number > MAX_NOW:
        text = ngettext(
            "%(number)d account was revoked in all.",
            "%(number)d accounts were revoked in all.",
            number,
        )
        modeladmin.message_user(request, text % {"number": number}, messages.SUCCESS)
    return None


def _each(queryset: QuerySet[ConnectedAccount]) -> Iterable[ConnectedAccount]:
    # By key, because the filter of the list may be about what is changed here.
    keys = list(queryset.values_list("pk", flat=True))
    for key in keys:
        rows = ConnectedAccount.objects.select_related("provider", "owner")
        if account := rows.filter(pk=key).first():
            yield account


def _refresh_one(
    modeladmin: Any, request: HttpRequest, account: ConnectedAccount
) -> None:
    try:
        account.refresh()
    except OAuthAccountsError as error:
        _fail(modeladmin, request, account, error.code)
    except ImproperlyConfigured as error:
        _fail(modeladmin, request, account, str(error))
    else:
        _tell(modeladmin, request, account, gettext("has a new token."))


def _refresh_later(
    modeladmin: Any, request: HttpRequest, queryset: QuerySet[ConnectedAccount]
) -> None:
    """Mark the accounts as due, so that worker, beat or command refreshes them."""
    keys = list(queryset.values_list("pk", flat=True))
    number = ConnectedAccount.objects.filter(
        pk__in=keys, status=ConnectedAccount.Status.ACTIVE
    ).update(refresh_due_at=clock.utcnow())
    text = ngettext(
        "%(number)d active account is due for a refresh in the background.",
        "%(number)d active accounts are due for a refresh in the background.",
        number,
    ) % {"number": number}
    if not workers.tell("refresh_due_accounts"):
        text += " " + gettext(
            "No worker was told: the next run of Celery beat or of "
            "“manage.py oauth_accounts refresh” does it."
        )
    modeladmin.message_user(request, text, messages.INFO)


def _confirm(
    modeladmin: Any,
    request: HttpRequest,
    queryset: QuerySet[ConnectedAccount],
    action: str,
    question: Any,
) -> TemplateResponse:
    shown = list(queryset.select_related("provider", "owner")[:SHOWN])
    title = TITLES[action]
    context = {
        **modeladmin.admin_site.each_context(request),
        "title": title,
        "question": question,
        "shown": shown,
        "more": queryset.count() - len(shown),
        "opts": modeladmin.opts,
        "action": action,
        "button": title,
        "checkbox_name": ACTION_CHECKBOX_NAME,
        "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
        "select_across": request.POST.get("select_across", "0"),
    }
    request.current_app = modeladmin.admin_site.name
    return TemplateResponse(request, "oauth_accounts/admin/confirm.html", context)


def _tell(
    modeladmin: Any, request: HttpRequest, account: ConnectedAccount, text: str
) -> None:
    _message(modeladmin, request, account, text, messages.SUCCESS)


def _fail(
    modeladmin: Any, request: HttpRequest, account: ConnectedAccount, code: str
) -> None:
    text = reasons.describe_account(code)
    _message(modeladmin, request, account, text, messages.ERROR)


def _message(
    modeladmin: Any,
    request: HttpRequest,
    account: ConnectedAccount,
    text: str,
    level: int,
) -> None:
    line = f"{account.provider}, {account}: {text}"
    modeladmin.message_user(request, line, level)
