"""Checks of which hosts may be called, and of the providers that are elsewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.db import connections

from oauth_accounts.conf import LISTS, conf

_HOST = re.compile(r"\.?(?:[a-z0-9_-]+\.)*[a-z][a-z0-9-]*\Z", re.IGNORECASE)
ADDRESSES = (
    "authorization_endpoint",
    "token_endpoint",
    "revocation_endpoint",
    "introspection_endpoint",
    "userinfo_endpoint",
    "jwks_uri",
    "device_authorization_endpoint",
    "pushed_authorization_request_endpoint",
    "api_base_url",
)


def check_private_hosts(**kwargs: Any) -> list[CheckMessage]:
    """Check that OAUTH_ACCOUNTS_PRIVATE_HOSTS is a list of text (E013)."""
    hosts: Any = conf.OAUTH_ACCOUNTS_PRIVATE_HOSTS
    if isinstance(hosts, LISTS) and all(isinstance(host, str) for host in hosts):
        return []
    return [
        Error(
            "OAUTH_ACCOUNTS_PRIVATE_HOSTS is not a list of host names and networks.",
            hint="Also for a single one write a list, as ['sso.internal'].",
            id="oauth_accounts.E013",
        )
    ]


def check_allowed_hosts(**kwargs: Any) -> list[CheckMessage]:
    """Check that OAUTH_ACCOUNTS_ALLOWED_HOSTS is a list of host names (E015)."""
    hosts = getattr(settings, "OAUTH_ACCOUNTS_ALLOWED_HOSTS", None)
    if hosts is None or (isinstance(hosts, LISTS) and all(map(_is_host, hosts))):
        return []
    return [
        Error(
            "OAUTH_ACCOUNTS_ALLOWED_HOSTS is not a list of host names.",
            hint="Write names without scheme and port, as ['github.com', '.example.com'].",
            id="oauth_accounts.E015",
        )
    ]


def _is_host(entry: object) -> bool:
    if not isinstance(entry, str):
        return False
    try:
        ip_address(entry)
    except ValueError:
        return _HOST.match(entry) is not None
    return True


def check_settings_hosts(**kwargs: Any) -> list[CheckMessage]:
    """Check the providers of the settings against the allowed hosts (W009)."""
    providers: Any = conf.OAUTH_ACCOUNTS_PROVIDERS
    if not isinstance(providers, Mapping):
        return []  # E014 says so
    return [
        _elsewhere(str(slug), host)
        for slug, values in providers.items()
        if isinstance(values, Mapping)
        for host in _hosts_elsewhere(values)
    ]


def check_provider_hosts(
    databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Check the providers of the database against the allowed hosts (W009)."""
    if conf.OAUTH_ACCOUNTS_ALLOWED_HOSTS is None:
        return []
    return [
        _elsewhere(values["slug"], host)
        for alias in databases or ()
        for values in _stored_providers(alias)
        for host in _hosts_elsewhere(values)
    ]


def _stored_providers(alias: str) -> list[dict[str, Any]]:
    connection = connections[alias]
    provider = apps.get_model("oauth_accounts", "Provider")
    with connection.cursor() as cursor:
        if provider._meta.db_table not in connection.introspection.table_names(cursor):
            return []  # `migrate` runs the checks before it makes the tables
    # Those of the settings are looked at there.
    rows = provider._default_manager.using(alias).exclude(source="settings")
    return list(rows.order_by("slug").values("slug", *ADDRESSES))


def _hosts_elsewhere(values: Mapping[str, Any]) -> list[str]:
    """Return the hosts of a provider's addresses that must not be called."""
    found = {_host_of(values.get(name)) for name in ADDRESSES}
    return sorted(host for host in found if host and not conf.is_host_allowed(host))


def _host_of(url: Any) -> str | None:
    try:
        return urlsplit(url).hostname if isinstance(url, str) else None
    except ValueError:
        return None  # saving and calling refuse it


def _elsewhere(slug: str, host: str) -> Warning:
    return Warning(
        f"Provider {slug!r} has an address at {host!r}, which is not in "
        "OAUTH_ACCOUNTS_ALLOWED_HOSTS: calls to it are refused.",
        hint="Add the host to the setting, or correct the provider.",
        id="oauth_accounts.W009",
    )
