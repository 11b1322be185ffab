"""The circuit breaker on a provider's page: what it does now, and the way to close it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from oauth_accounts import clock, reasons
from oauth_accounts.admin import badges, moments
from oauth_accounts.admin.own_page import address_of, own_page
from oauth_accounts.models import Provider

TITLE = _("Resume calls")


def is_open(provider: Provider) -> bool:
    """Say whether no call is made now; a row of the list knows it without a query."""
    known: bool | None = provider.__dict__.get("_is_paused")
    return provider.is_paused() if known is None else known


def summary(provider: Provider) -> str:
    """Say in one line what stops calls to a provider; "" for nothing."""
    if not provider.pause_reason:
        return ""
    return explained(provider, clock.utcnow() if is_open(provider) else None)


def explained(provider: Provider, now: datetime | None) -> str:
    """Say why it is paused, and how long still; now: None when the pause is over."""
    reason = reasons.describe_account(provider.pause_reason)
    until = provider.paused_until
    if now is None or until is None:
        text = gettext("One call at a time, after a pause. %(reason)s")
        return text % {"reason": reason}
    return gettext("Tried again %(time)s. %(reason)s") % {
        "time": moments.distance(until, now),
        "reason": reason,
    }


def description(provider: Provider) -> str:
    """Say in sentences what the breaker does now and what comes next."""
    if not provider.pause_reason:
        return gettext("Closed: calls are not paused.")
    pill = badges.pill("paused" if is_open(provider) else "trial")
    lines = format_html_join("", "<li>{}</li>", ((x,) for x in _lines(provider)))
    return format_html('{}<ul class="oauth-accounts-lines">{}</ul>', pill, lines)


def _lines(provider: Provider) -> list[str]:
    count = ngettext(
        "%(count)d pause without a success since.",
        "%(count)d pauses in a row without a success between.",
        provider.pause_count,
    )
    return [
        summary(provider),
        *_next_steps(provider),
        count % {"count": provider.pause_count},
    ]


def _next_steps(provider: Provider) -> list[str]:
    if is_open(provider) and provider.paused_until is not None:
        time = moments.exact(provider.paused_until)
        return [
            gettext("Paused until %(time)s.") % {"time": time},
            gettext(
                "Until then nothing is refreshed and nobody can connect; revocations are "
                "still sent. After that, one call decides how it goes on."
            ),
        ]
    return [
        gettext(
            "One caller at a time may try. If that succeeds, all calls are made again; "
            "if not, the next pause is longer."
        )
    ]


def link(modeladmin: Any, provider: Provider) -> str:
    """Return a link to the question whether to resume."""
    address = address_of(modeladmin, "resume", provider)
    return format_html('<a class="button" href="{}">{}</a>', address, TITLE)


@require_http_methods(["GET", "POST"])
def resume_view(request: HttpRequest, modeladmin: Any, object_id: str) -> HttpResponse:
    """Ask, and on POST close the circuit breaker in the name of the user."""
    provider = modeladmin.get_object(request, unquote(object_id))
    if provider is None:
        raise Http404
    if not modeladmin.may_operate(request):
        raise PermissionDenied
    if request.method == "POST":
        return _resume(request, modeladmin, provider)
    return own_page(
        request,
        modeladmin,
        "resume.html",
        title=TITLE,
        original=provider,
        state=description(provider),
        is_closed=not provider.pause_reason,
    )


def _resume(
    request: HttpRequest, modeladmin: Any, provider: Provider
) -> HttpResponseRedirect:
    if provider.resume(request.user):
        text = gettext("Calls to %(name)s are made again.")
        level = messages.SUCCESS
    else:
        text = gettext("Calls to %(name)s were not paused any more.")
        level = messages.INFO
    modeladmin.message_user(request, text % {"name": provider}, level)
    return HttpResponseRedirect(address_of(modeladmin, "change", provider))
