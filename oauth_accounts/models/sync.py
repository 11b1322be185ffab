"""OAUTH_ACCOUNTS_PROVIDERS as rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import models, transaction
from django.utils import translation
from django.utils.functional import Promise

from oauth_accounts.conf import conf
from oauth_accounts.exceptions import TokenError, TokenUndecryptable
from oauth_accounts.fields import Sealed, SealedTextField, Secret
from oauth_accounts.frames import without_frames
from oauth_accounts.models.provider import Provider
from oauth_accounts.models.provider_columns import PINNED_FIELDS, STATE_FIELDS

# What the engine and the sync itself write; everything else may stand in settings.
NOT_CONFIGURABLE = {
    "id",
    "slug",
    "source",
    "pinned_addresses",
    *STATE_FIELDS,
    "created_at",
    "updated_at",
}

# Choices that the columns have for later releases.
BUILT: dict[str, set[str]] = {
    "protocol": {Provider.Protocol.OAUTH2},
    "grant_type": {Provider.GrantType.AUTHORIZATION_CODE},
    "token_endpoint_auth_method": {
        Provider.ClientAuth.BASIC,
        Provider.ClientAuth.POST,
        Provider.ClientAuth.NONE,
    },
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One thing that a sync did, or would do."""

    slug: str
    """Of the provider."""

    action: Literal["created", "updated", "disabled", "unchanged"]
    """What happened to its row."""

    fields: tuple[str, ...] = ()
    """Names of the columns that differ; never their values."""


# Its local variables are the settings, secrets and all.
@without_frames
def sync_providers(*, using: str | None = None, dry_run: bool = False) -> list[Change]:
    """
    Make the rows of the providers in settings match the settings.

    using: database alias. dry_run: report only. A provider that is gone from the settings
    is disabled, not deleted, because accounts hang on it.

    Raises ImproperlyConfigured, before anything is written, when an entry is invalid.
    """
    rows = Provider.objects.using(using) if using else Provider.objects.all()
    configured = _configured()
    known = {provider.slug: provider for provider in rows}
    planned = [
        _plan(known.get(slug), slug, values) for slug, values in configured.items()
    ]
    changes = [change for _provider, change in planned]
    gone = [
        provider
        for slug, provider in known.items()
        if provider.source == Provider.Source.SETTINGS
        and provider.enabled
        and slug not in configured
    ]
    changes += [Change(slug=provider.slug, action="disabled") for provider in gone]
    if not dry_run:
        with transaction.atomic(using=using):
            _write(planned, gone, using)
    return changes


def _configured() -> Mapping[str, Mapping[str, Any]]:
    configured: Any = conf.OAUTH_ACCOUNTS_PROVIDERS
    if not isinstance(configured, Mapping) or not all(
        isinstance(slug, str) and isinstance(values, Mapping)
        for slug, values in configured.items()
    ):
        raise ImproperlyConfigured(
            "OAUTH_ACCOUNTS_PROVIDERS must be a dict of slugs to dicts of field values."
        )
    return cast(Mapping[str, Mapping[str, Any]], configured)


def _write(
    planned: list[tuple[Provider, Change]], gone: list[Provider], using: str | None
) -> None:
    for provider, change in planned:
        if change.action != "unchanged":
            provider.save(using=using)
        if "client_secret" in change.fields:
            provider.resume(reason="secret_changed")
            provider.events.create(kind="secret_changed", reason="settings")
    for provider in gone:
        provider.enabled = False
        provider.save(using=using, update_fields=["enabled", "updated_at"])


def _plan(
    provider: Provider | None, slug: str, values: Mapping[str, Any]
) -> tuple[Provider, Change]:
    created = provider is None
    provider = provider or Provider(slug=slug)
    differing = _apply(provider, slug, values)
    if not created:
        differing += _vouch(provider, differing)
    try:
        provider.full_clean(validate_unique=False)
    except ValidationError as error:
        problems = "; ".join(
            f"{name}: {' '.join(messages)}"
            for name, messages in error.message_dict.items()
        )
        raise ImproperlyConfigured(
            f"OAUTH_ACCOUNTS_PROVIDERS[{slug!r}]: {problems}"
        ) from None
    if created:
        return provider, Change(slug=slug, action="created", fields=differing)
    action: Literal["updated", "unchanged"] = "updated" if differing else "unchanged"
    return provider, Change(slug=slug, action=action, fields=differing)


def _vouch(provider: Provider, differing: tuple[str, ...]) -> tuple[str, ...]:
    """Pin what settings say, whatever was there before; return what else that changes."""
    if not set(PINNED_FIELDS).isdisjoint(differing):
        provider.pin()
        return ()
    try:
        altered = provider.altered_columns()
    except TokenUndecryptable:
        # Its key is gone: written anew, as secrets are.
        altered = ["pinned_addresses"]
    if altered:
        provider.pin()
    return ("pinned_addresses",) if altered else ()


def _apply(provider: Provider, slug: str, values: Mapping[str, Any]) -> tuple[str, ...]:
    """Set every configurable column, to its default where settings say nothing."""
    allowed = {
        field.name: field
        for field in Provider._meta.concrete_fields
        if field.name not in NOT_CONFIGURABLE
    }
    wanted = _wanted(allowed, slug, values)
    differing = []
    # Secrets come last: they are compared in the context of the new endpoints.
    for name in sorted(wanted, key=lambda n: isinstance(allowed[n], SealedTextField)):
        current = _current(provider, name)
        if isinstance(allowed[name], SealedTextField):
            wanted[name] = Secret(wanted[name]) if wanted[name] else None
        if current != wanted[name]:
            setattr(provider, name, wanted[name])
            differing.append(name)
    if provider.source != Provider.Source.SETTINGS:
        provider.source = Provider.Source.SETTINGS
        differing.append("source")
    return tuple(differing)


def _wanted(
    allowed: Mapping[str, models.Field[Any, Any]], slug: str, values: Mapping[str, Any]
) -> dict[str, Any]:
    entry = f"OAUTH_ACCOUNTS_PROVIDERS[{slug!r}]"
    if unknown := sorted(str(name) for name in values if name not in allowed):
        raise ImproperlyConfigured(f"{entry} has unknown keys: {', '.join(unknown)}")
    wanted = {name: field.get_default() for name, field in allowed.items()}
    wanted["name"] = slug.replace("-", " ").title()
    for name, value in values.items():
        if problem := _problem(allowed[name], value):
            raise ImproperlyConfigured(f"{entry}: {name} {problem}")
        if value or name != "name":
            wanted[name] = _as_stored(allowed[name], value)
    return wanted


def _problem(field: models.Field[Any, Any], value: Any) -> str | None:
    """Return what the column's own validation does not say, without the value."""
    if value is None:
        allowed = field.null or field.name == "name"
        return None if allowed else "cannot be None; leave it out"
    if isinstance(field, models.CharField | models.TextField):
        if not isinstance(value, str):
            return "has to be text"
        if not _can_be_stored(value):
            return "holds characters that cannot be stored"
    built = BUILT.get(field.name)
    # What is no choice at all is said by the column.
    if built and value not in built and value in dict(field.flatchoices):
        return f"{value!r} is not supported yet"
    return None


def _can_be_stored(text: str) -> bool:
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def _as_stored(field: models.Field[Any, Any], value: Any) -> Any:
    """Return the value as a row has it, so that equal ones compare equal."""
    if isinstance(field, SealedTextField):
        return value
    if field.name == "scope_descriptions":
        return _untranslated(value)
    try:
        return field.to_python(value)
    except ValidationError:
        # Said with all the others by full_clean().
        return value


def _untranslated(value: Any) -> Any:
    """Return an object of texts with the lazy ones as they are before translation."""
    if not isinstance(value, Mapping):
        return value
    with translation.override(None):
        return {
            scope: str(text) if isinstance(text, Promise) else text
            for scope, text in value.items()
        }


def _current(provider: Provider, name: str) -> Any:
    value = getattr(provider, name)
    if not isinstance(value, Sealed):
        return value
    try:
        return provider.reveal(name)
    except TokenError:
        # Entered for other endpoints, or its key is gone: written anew.
        return value
