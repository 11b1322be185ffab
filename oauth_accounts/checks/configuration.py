"""Checks of the app's own settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured
from django.shortcuts import resolve_url
from django.urls import NoReverseMatch, get_resolver

from oauth_accounts.conf import LEASE_SECONDS, conf


def check_base_url(**kwargs: Any) -> list[CheckMessage]:
    """Check OAUTH_ACCOUNTS_BASE_URL: E004 malformed, W003 missing."""
    base = getattr(settings, "OAUTH_ACCOUNTS_BASE_URL", None)
    if base is None:
        if settings.DEBUG:
            return []
        return [
            Warning(
                "OAUTH_ACCOUNTS_BASE_URL is not set: accounts cannot be connected.",
                hint="Set it to the site's address, as 'https://www.example.com'.",
                id="oauth_accounts.W003",
            )
        ]
    if isinstance(base, str) and _is_base_url(base):
        return []
    return [
        Error(
            "OAUTH_ACCOUNTS_BASE_URL is not an https address.",
            hint="Set it to the site's address, as 'https://www.example.com'.",
            id="oauth_accounts.E004",
        )
    ]


def _is_base_url(base: str) -> bool:
    try:
        parts = urlsplit(base)
        _port = parts.port
    except ValueError:
        return False
    plain = not (parts.query or parts.fragment or "@" in parts.netloc)
    right = parts.scheme == "https" or (settings.DEBUG and parts.scheme == "http")
    return bool(parts.hostname) and plain and right


def check_providers(**kwargs: Any) -> list[CheckMessage]:
    """Check the shape of OAUTH_ACCOUNTS_PROVIDERS; syncing looks at the values (E014)."""
    providers: Any = conf.OAUTH_ACCOUNTS_PROVIDERS
    if isinstance(providers, Mapping) and all(
        isinstance(slug, str) and isinstance(values, Mapping)
        for slug, values in providers.items()
    ):
        return []
    return [
        Error(
            "OAUTH_ACCOUNTS_PROVIDERS is not a dict of slugs to dicts of field values.",
            hint="Write it as {'slug': {'client_id': ..., ...}}.",
            id="oauth_accounts.E014",
        )
    ]


def check_success_url(**kwargs: Any) -> list[CheckMessage]:
    """Check that OAUTH_ACCOUNTS_SUCCESS_URL leads somewhere, where it is set (E012)."""
    if not hasattr(settings, "OAUTH_ACCOUNTS_SUCCESS_URL") or not _urls_load():
        return []
    try:
        resolve_url(conf.OAUTH_ACCOUNTS_SUCCESS_URL)
    except (NoReverseMatch, TypeError):
        return [
            Error(
                "OAUTH_ACCOUNTS_SUCCESS_URL is neither the name of a URL nor a path.",
                hint="Write it as '/welcome/' or 'app:name'.",
                id="oauth_accounts.E012",
            )
        ]
    return []


def _urls_load() -> bool:
    try:
        return bool(get_resolver(settings.ROOT_URLCONF).url_patterns)
    except (AttributeError, ImportError, ImproperlyConfigured):
        # Django says so itself, and a process without pages needs no URLs.
        return False


def check_numbers(**kwargs: Any) -> list[CheckMessage]:
    """Check that times are positive and a call ends within its lease (E005)."""
    limits = {
        "OAUTH_ACCOUNTS_REFRESH_MARGIN": (0, 86_400),
        "OAUTH_ACCOUNTS_ATTEMPT_TTL": (30, 600),
        "OAUTH_ACCOUNTS_HTTP_TIMEOUT": (1, LEASE_SECONDS / 2),
        "OAUTH_ACCOUNTS_CONCURRENCY": (1, 256),
        "OAUTH_ACCOUNTS_CALLS_PER_PROVIDER": (1, 10_000),
        "OAUTH_ACCOUNTS_EVENTS_KEPT": (1, 36_500),
    }
    problems: list[CheckMessage] = []
    for name, (low, high) in limits.items():
        try:
            value = getattr(conf, name)
            # None is a number of none of the others.
            right = value is None or low <= value <= high
        except (TypeError, ValueError, OverflowError):
            right = False
        if not right:
            problems.append(
                Error(
                    f"{name} must be a number from {low} to {high:g}.",
                    id="oauth_accounts.E005",
                )
            )
    return problems
