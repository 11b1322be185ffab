"""A new provider from its issuer: asked for by hand, filled in, and saved by the form only."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from oauth_accounts import reasons
from oauth_accounts.admin import asking
from oauth_accounts.admin.own_page import address_of, own_page
from oauth_accounts.exceptions import TokenError
from oauth_accounts.models.provider_columns import ENDPOINT_FIELDS
from oauth_accounts.protocol.discovery import Metadata, discover
from oauth_accounts.validators import validate_endpoint, validate_issuer

TITLE = _("Start from an issuer")
SALT = "oauth_accounts.starting"
# Seconds from the provider's answer to the page of the form.
MAX_AGE = 3600
MAX_SCOPES = 50

NO_WAY_TO_AUTHENTICATE = _(
    "None of the issuer's ways of client authentication is supported."
)


class IssuerForm(forms.Form):
    """Which issuer to ask."""

    issuer = forms.CharField(
        label=_("Issuer"),
        max_length=500,
        validators=[validate_issuer, validate_endpoint],
        help_text=_("Such as https://login.tracker.example"),
        widget=AdminTextInputWidget(
            attrs={"class": "vLargeTextField", "inputmode": "url", "autofocus": True}
        ),
    )


@require_http_methods(["GET", "POST"])
def issuer_view(request: HttpRequest, modeladmin: Any) -> HttpResponse:
    """Ask for an issuer, and on POST go to the form with what it says filled in."""
    if not modeladmin.has_add_permission(request):
        raise PermissionDenied
    form = IssuerForm(request.POST if request.method == "POST" else None)
    if form.is_valid() and (offer := _ask(request, form)):
        query = urlencode({"offer": offer})
        return HttpResponseRedirect(f"{address_of(modeladmin, 'add')}?{query}")
    return own_page(request, modeladmin, "issuer.html", title=TITLE, form=form)


def _ask(request: HttpRequest, form: IssuerForm) -> str | None:
    """Return what the issuer says, signed; None when the form has an error now."""
    if not asking.may_ask(request.user, "discovery"):
        form.add_error(None, asking.TOO_OFTEN)
        return None
    try:
        metadata = discover(form.cleaned_data["issuer"])
    except TokenError as error:
        # One of three: what listens inside is nobody's business.
        form.add_error("issuer", reasons.describe_account(error.code))
        return None
    if metadata.best_auth_method() is None:
        form.add_error("issuer", NO_WAY_TO_AUTHENTICATE)
        return None
    return signing.dumps(_values(metadata), salt=SALT, compress=True)


def _values(metadata: Metadata) -> dict[str, Any]:
    fields = metadata.as_provider_fields()
    return {
        "values": {
            **{name: value for name, value in fields.items() if value},
            "token_endpoint_auth_method": metadata.best_auth_method(),
        },
        "scopes": list(metadata.scopes_supported or ())[:MAX_SCOPES],
    }


def offered(request: HttpRequest) -> dict[str, Any] | None:
    """Return what an issuer said to whoever opens the form; None when that is too old."""
    try:
        offer: dict[str, Any] = signing.loads(
            request.GET.get("offer", ""), salt=SALT, max_age=MAX_AGE
        )
    except signing.BadSignature:
        return None
    return offer


def initial_values(request: HttpRequest, usual: dict[str, Any]) -> dict[str, Any]:
    """
    Return what the form of a new provider begins with.

    usual: what the address says, as in any form of the admin. An address that somebody
    was sent fills in no endpoint: secrets would go there.
    """
    offer = offered(request)
    if offer is not None:
        values: dict[str, Any] = offer["values"]
        return values
    return {name: text for name, text in usual.items() if name not in ENDPOINT_FIELDS}
