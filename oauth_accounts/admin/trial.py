"""The test of a provider: asked for by hand, and told line by line what to do."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from oauth_accounts import inspection, moving, reasons, turnstile
from oauth_accounts.admin import asking, breaker
from oauth_accounts.admin.findings import Line, line_of
from oauth_accounts.admin.own_page import address_of, own_page
from oauth_accounts.exceptions import ProviderUnavailable
from oauth_accounts.inspection import Finding
from oauth_accounts.models import Provider
from oauth_accounts.models.provider import missing_configuration

TITLE = _("Test this provider")


def link(modeladmin: Any, provider: Provider) -> SafeString:
    """Return a link to the question whether to test."""
    address = address_of(modeladmin, "test", provider)
    return format_html('<a class="button" href="{}">{}</a>', address, TITLE)


@require_http_methods(["GET", "POST"])
def trial_view(request: HttpRequest, modeladmin: Any, object_id: str) -> HttpResponse:
    """Ask, and on POST test the provider and show what was found."""
    provider = modeladmin.get_object(request, unquote(object_id))
    if provider is None:
        raise Http404
    if not modeladmin.may_operate(request):
        raise PermissionDenied
    if request.method != "POST":
        return _page(request, modeladmin, provider)
    if not asking.may_ask(request.user, "test", provider):
        return _page(request, modeladmin, provider, problem=asking.TOO_OFTEN)
    try:
        # One test at a time for a thread of the server, like any other call.
        with turnstile.turn(provider.slug, patient=False):
            findings = _inspect(provider)
    except ProviderUnavailable as error:
        problem = reasons.describe_account(error.code)
        return _page(request, modeladmin, provider, problem=problem)
    return _page(request, modeladmin, provider, findings=findings)


def _inspect(provider: Provider) -> list[Finding]:
    altered = bool(moving.altered_addresses(provider))
    missing = missing_configuration(provider)
    return inspection.inspect(provider, missing, altered=altered)


def _page(
    request: HttpRequest,
    modeladmin: Any,
    provider: Provider,
    *,
    findings: list[Finding] | None = None,
    problem: Any = "",
) -> HttpResponse:
    lines = [line_of(finding) for finding in findings or ()]
    return own_page(
        request,
        modeladmin,
        "test.html",
        title=TITLE,
        original=provider,
        problem=problem,
        was_tested=findings is not None,
        lines=lines,
        conclusion=_conclusion(lines),
        paused=breaker.summary(provider),
        may_change=modeladmin.has_change_permission(request, provider),
    )


def _conclusion(lines: list[Line]) -> str:
    failed = sum(line.result == "fail" for line in lines)
    doubtful = sum(line.result == "warn" for line in lines)
    if failed:
        text = ngettext(
            "%(count)d problem has to be solved.",
            "%(count)d problems have to be solved.",
            failed,
        )
        return text % {"count": failed}
    if doubtful:
        text = ngettext(
            "Nothing stands against it, as far as can be told without a user. %(count)d "
            "line is worth a look.",
            "Nothing stands against it, as far as can be told without a user. %(count)d "
            "lines are worth a look.",
            doubtful,
        )
        return text % {"count": doubtful}
    return gettext("All that can be told without a user is right.")
