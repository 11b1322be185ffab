"""
A provider beside its metadata: asked for by hand, shown, and taken over by the form's rules.

Nothing is saved without a second step, in which the secret is entered where the form wants
it (RFC 9700 section 4.4: metadata that clients follow by themselves is an attacker's tool).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from oauth_accounts import moving, reasons
from oauth_accounts.admin import consent
from oauth_accounts.admin.own_page import address_of, own_page
from oauth_accounts.exceptions import TokenError
from oauth_accounts.forms import SECRET_FIELDS
from oauth_accounts.models import Provider
from oauth_accounts.protocol.discovery import discover

TITLE = _("Compare with the provider's metadata")
SALT = "oauth_accounts.comparison"
# Seconds from the provider's answer to the confirmation.
MAX_AGE = 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One field whose metadata says something else."""

    name: str
    label: str
    current: str
    offered: str


def can_be_compared(provider: Provider) -> bool:
    """Say whether there is an issuer to ask, which somebody has entered here."""
    return bool(provider.issuer) and not moving.altered_addresses(provider)


def link(modeladmin: Any, provider: Provider) -> str:
    """Return a link to the question whether to ask."""
    address = address_of(modeladmin, "compare", provider)
    return format_html('<a class="button" href="{}">{}</a>', address, TITLE)


@require_http_methods(["GET", "POST"])
def compare_view(request: HttpRequest, modeladmin: Any, object_id: str) -> HttpResponse:
    """Ask, on POST show what differs, and on a second POST take over what was chosen."""
    provider = modeladmin.get_object(request, unquote(object_id))
    if provider is None:
        raise Http404
    if not modeladmin.has_change_permission(request, provider):
        raise PermissionDenied
    if not can_be_compared(provider):
        raise Http404
    if request.method != "POST":
        return _page(request, modeladmin, provider)
    if "offer" in request.POST:
        return _take_over(request, modeladmin, provider)
    return _ask(request, modeladmin, provider)


def _ask(request: HttpRequest, modeladmin: Any, provider: Provider) -> HttpResponse:
    try:
        metadata = discover(provider.issuer)
    except TokenError as error:
        # One of three: what listens inside is nobody's business.
        said = reasons.describe_account(error.code)
        return _page(request, modeladmin, provider, problem=said)
    fields = modeladmin.get_form(request, provider, change=True).base_fields
    offered = {
        name: value
        for name, value in metadata.as_provider_fields().items()
        if name in fields and _is_news(getattr(provider, name), value)
    }
    return _page(request, modeladmin, provider, offered=offered)


def _is_news(current: Any, offered: Any) -> bool:
    """Say whether metadata differs; that it leaves something out says nothing."""
    return offered not in (None, "") and offered != current


def _take_over(
    request: HttpRequest, modeladmin: Any, provider: Provider
) -> HttpResponse:
    """Change what was chosen as the form would, which may refuse it."""
    try:
        offer = signing.loads(request.POST["offer"], salt=SALT, max_age=MAX_AGE)
    except signing.BadSignature:
        offer = {}
    if offer.get("provider") != str(provider.pk):
        text = gettext("What was offered is too old. Ask the provider again.")
        modeladmin.message_user(request, text, messages.ERROR)
        return HttpResponseRedirect(address_of(modeladmin, "compare", provider))
    chosen = {
        name: value
        for name, value in offer["values"].items()
        if name in request.POST.getlist("take")
    }
    form_class = modeladmin.get_form(request, provider, change=True)
    data = {**_as_sent(form_class(instance=provider)), **_entered(request)}
    data.update({name: _as_text(value) for name, value in chosen.items()})
    form = form_class(data, instance=provider)
    if not form.is_valid():
        moving.record_guesses(provider, form.guessed, request.user)
        stored = modeladmin.get_object(request, str(provider.pk))
        return _page(request, modeladmin, stored, offered=offer["values"], form=form)
    with transaction.atomic():
        modeladmin.save_model(request, form.save(commit=False), form, True)
        said = modeladmin.construct_change_message(request, form, None)
        modeladmin.log_change(request, provider, said)
    text = gettext("%(name)s was changed.") % {"name": provider}
    modeladmin.message_user(request, text, messages.SUCCESS)
    return HttpResponseRedirect(address_of(modeladmin, "change", provider))


def _as_sent(form: Any) -> dict[str, Any]:
    """Return what a browser would send that changes nothing."""
    initial = {
        name: field.prepare_value(form.get_initial_for_field(field, name))
        for name, field in form.fields.items()
    }
    # A box that is not ticked is not sent, nor is what is empty.
    return {
        name: value for name, value in initial.items() if value not in (None, False)
    }


def _entered(request: HttpRequest) -> dict[str, Any]:
    names = [*(f"new_{name}" for name in SECRET_FIELDS), consent.FIELD]
    return {name: request.POST[name] for name in names if request.POST.get(name)}


def _as_text(value: Any) -> Any:
    return "\n".join(value) if isinstance(value, list) else value


def _page(
    request: HttpRequest,
    modeladmin: Any,
    provider: Provider,
    *,
    offered: Mapping[str, Any] | None = None,
    form: Any = None,
    problem: str = "",
) -> TemplateResponse:
    """Show the question, or what came of it. form: which refused, if any."""
    blank = form or modeladmin.get_form(request, provider, change=True)(
        instance=provider
    )
    stored = [n for n in SECRET_FIELDS if getattr(provider, n) is not None]
    values = {"provider": str(provider.pk), "values": dict(offered or {})}
    return own_page(
        request,
        modeladmin,
        "compare.html",
        title=TITLE,
        original=provider,
        problem=problem,
        was_asked=offered is not None,
        differences=_differences(provider, offered or {}),
        offer=signing.dumps(values, salt=SALT),
        chosen=request.POST.getlist("take"),
        secrets=[blank[f"new_{name}"] for name in stored],
        errors=form.errors if form else {},
        consent=_consent(form, provider),
    )


def _consent(form: Any, provider: Provider) -> dict[str, Any] | None:
    """Return what accounts are concerned by, and the tick, when it is asked for."""
    if form is None or not consent.is_asked_for(form):
        return None
    return {
        "title": consent.TITLE,
        "explanation": consent.explanation(form.stake, provider),
        "field": form[consent.FIELD],
    }


def _differences(provider: Provider, offered: Mapping[str, Any]) -> list[Difference]:
    return [
        Difference(
            name=name,
            label=str(Provider._meta.get_field(name).verbose_name),  # type: ignore[union-attr]
            current=_shown(getattr(provider, name)),
            offered=_shown(value),
        )
        for name, value in offered.items()
    ]


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    return " ".join(value) if isinstance(value, list) else str(value or "–")
