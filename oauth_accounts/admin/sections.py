"""Which fields a provider's page has, in which order, for whom and in which state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _

from oauth_accounts import moving
from oauth_accounts.admin import comparison
from oauth_accounts.forms import SECRET_FIELDS
from oauth_accounts.models import Provider

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

STORED = "_stored_secrets"
# What stands in the place of a field that holds a list, an object or a blank.
READABLE = {
    "scopes": "scopes_shown",
    "scope_descriptions": "descriptions_shown",
    "scope_separator": "separator_shown",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A part of the form, as a newcomer comes to it."""

    title: StrPromise
    guidance: StrPromise
    names: tuple[str, ...]
    folded: bool = False
    """Whether it is shut until somebody opens it, or holds an error."""


SECTIONS = (
    Section(
        title=_("1. Name and redirect URI"),
        guidance=_(
            "Give the service a name, and register the redirect URI there. Name and slug "
            "are enough to save; come back with what the service gives you."
        ),
        names=("name", "slug", "enabled", "callback"),
    ),
    Section(
        title=_("2. Client credentials"),
        guidance=_(
            "What the service calls this site, and how this site proves it. Secrets are "
            "stored encrypted and never shown again; a fingerprint tells one from another."
        ),
        names=("client_id", "token_endpoint_auth_method", "client_secret"),
    ),
    Section(
        title=_("3. Endpoints"),
        guidance=_(
            "Where the service is. Its documentation lists these addresses; all of them "
            "begin with https://."
        ),
        names=(
            "issuer",
            "authorization_endpoint",
            "token_endpoint",
            "revocation_endpoint",
            "userinfo_endpoint",
            "jwks_uri",
            "api_base_url",
        ),
    ),
    Section(
        title=_("4. Permissions and identity"),
        guidance=_(
            "What users are asked for, and how an account is told from another."
        ),
        names=(
            "scopes",
            "scope_descriptions",
            "scope_separator",
            "uid_path",
            "label_path",
            "grants_url",
            "exclusive_subjects",
        ),
    ),
    Section(
        title=_("5. Refreshing"),
        guidance=_("When tokens are renewed. All of it can stay empty."),
        names=(
            "default_lifetime",
            "refresh_margin",
            "keepalive_interval",
            "max_refreshes_per_minute",
        ),
        folded=True,
    ),
    Section(
        title=_("6. Special requirements"),
        guidance=_("Only where the service's documentation asks for it."),
        names=(
            "authorization_params",
            "token_params",
            "refresh_params",
            "authorization_response_iss_parameter_supported",
            "code_challenge_methods_supported",
            # Kept for later releases: nothing asks for them yet.
            "previous_client_secret",
            "private_key",
        ),
        folded=True,
    ),
)
KEPT_IN_SETTINGS = _(
    "This provider is kept in the setting OAUTH_ACCOUNTS_PROVIDERS. Change it there and "
    "run: manage.py oauth_accounts sync-providers"
)

Fieldset = tuple[Any, dict[str, Any]]


def fieldsets_of(
    obj: Provider | None, *, writable: bool, operates: bool
) -> list[Fieldset]:
    """
    Return the fieldsets of a provider's page; obj is None where one is added.

    writable: whether its fields can be changed. operates: whether the user may test it and
    end its pauses.
    """
    form = [_fieldset(section, obj, writable=writable) for section in SECTIONS]
    if obj is None:
        return form
    doubt = _doubt(writable=writable) if moving.altered_addresses(obj) else []
    return [_state(obj, writable=writable, operates=operates), *doubt, *form]


def _fieldset(section: Section, obj: Provider | None, *, writable: bool) -> Fieldset:
    options: dict[str, Any] = {
        "fields": _shown_fields(section.names, obj, writable=writable),
        # Whoever may only look is not told how to fill it in.
        "description": section.guidance if writable else "",
        "classes": ("collapse",) if section.folded else (),
    }
    return section.title, options


def _state(obj: Provider, *, writable: bool, operates: bool) -> Fieldset:
    names = ["state", "calls"]
    if obj.pause_reason and operates:
        names.append("resume")
    names += ["account_count", "refreshes"]
    if operates:
        names.append("test")
    if writable and comparison.can_be_compared(obj):
        names.append("comparison")
    options: dict[str, Any] = {"fields": names}
    if obj.source == Provider.Source.SETTINGS:
        options["description"] = KEPT_IN_SETTINGS
    return _("State"), options


def _doubt(*, writable: bool) -> list[Fieldset]:
    accept = ["accept_addresses"] if writable else []
    return [(_("Addresses in doubt"), {"fields": ["alteration", *accept]})]


def note_stored(provider: Provider) -> None:
    """Remember which secrets are stored: a form changes them even when it is invalid."""
    stored = {name for name in SECRET_FIELDS if getattr(provider, name) is not None}
    provider.__dict__[STORED] = stored


def stored_names(provider: Provider) -> set[str]:
    """Return the names of the secrets that were stored when the provider was read."""
    names: set[str] = provider.__dict__.get(STORED, set())
    return names


def _shown_fields(
    names: tuple[str, ...], obj: Provider | None, *, writable: bool
) -> list[str]:
    """Put inputs in the place of secrets, or hints where nothing can be entered."""
    shown: list[str] = []
    for name in names:
        if name not in SECRET_FIELDS:
            shown.append(name if writable else READABLE.get(name, name))
        elif not writable:
            shown.append(f"{name}_hint")
        else:
            shown.append(f"new_{name}")
            if obj is not None and name in stored_names(obj):
                shown.append(f"remove_{name}")
    return shown
