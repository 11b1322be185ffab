"""Every setting of the app, typed and read live; the property has the setting's name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.http import is_same_domain
from django.utils.module_loading import import_string

# A lease outlives the longest call: a claim held this long was abandoned (seconds).
LEASE_SECONDS = 60
LISTS = (list, tuple, set, frozenset)
# What owners may be told of by mail.
NOTICES = ("reauth_required", "connected", "disconnected")


class Settings:
    @property
    def OAUTH_ACCOUNTS_OWNER_MODEL(self) -> str:
        """Model that owns accounts, as "app_label.Model"; fixed once migrated."""
        value: str = getattr(
            settings, "OAUTH_ACCOUNTS_OWNER_MODEL", settings.AUTH_USER_MODEL
        )
        return value

    @property
    def OAUTH_ACCOUNTS_GET_OWNER(self) -> Callable[[Any], Any]:
        """Callable, or dotted path to one, that takes the request and returns the owner."""
        value = getattr(settings, "OAUTH_ACCOUNTS_GET_OWNER", None)
        if value is None:
            if self.OAUTH_ACCOUNTS_OWNER_MODEL != settings.AUTH_USER_MODEL:
                raise ImproperlyConfigured(
                    "OAUTH_ACCOUNTS_OWNER_MODEL is not the user model: set "
                    "OAUTH_ACCOUNTS_GET_OWNER to a callable that takes the request "
                    "and returns the owner of new connections."
                )
            return _request_user
        owner_of: Callable[[Any], Any] = (
            import_string(value) if isinstance(value, str) else value
        )
        return owner_of

    @property
    def OAUTH_ACCOUNTS_BASE_URL(self) -> str | None:
        """Scheme and host that redirect URIs begin with, never taken from the request."""
        value: str | None = getattr(settings, "OAUTH_ACCOUNTS_BASE_URL", None)
        return value.rstrip("/") if isinstance(value, str) else None

    @property
    def OAUTH_ACCOUNTS_PROVIDERS(self) -> Mapping[str, Mapping[str, Any]]:
        """Providers kept in settings: slug to field values."""
        value: Mapping[str, Mapping[str, Any]] = getattr(
            settings, "OAUTH_ACCOUNTS_PROVIDERS", {}
        )
        return value

    @property
    def OAUTH_ACCOUNTS_REFRESH_MARGIN(self) -> int:
        """Seconds before expiry at which a token is refreshed."""
        return int(getattr(settings, "OAUTH_ACCOUNTS_REFRESH_MARGIN", 300))

    @property
    def OAUTH_ACCOUNTS_ATTEMPT_TTL(self) -> int:
        """Seconds a user has to come back from the provider."""
        return int(getattr(settings, "OAUTH_ACCOUNTS_ATTEMPT_TTL", 600))

    @property
    def OAUTH_ACCOUNTS_HTTP_TIMEOUT(self) -> float:
        """Total seconds one call to a provider may take, from dialling to the last byte."""
        return float(getattr(settings, "OAUTH_ACCOUNTS_HTTP_TIMEOUT", 15))

    @property
    def OAUTH_ACCOUNTS_CONCURRENCY(self) -> int:
        """Calls to providers that one sweep makes at a time."""
        return int(getattr(settings, "OAUTH_ACCOUNTS_CONCURRENCY", 32))

    @property
    def OAUTH_ACCOUNTS_CALLS_PER_PROVIDER(self) -> int:
        """Callers of one process that may be busy with one provider at a time."""
        return int(getattr(settings, "OAUTH_ACCOUNTS_CALLS_PER_PROVIDER", 8))

    @property
    def OAUTH_ACCOUNTS_PRIVATE_HOSTS(self) -> Sequence[str]:
        """Host names and networks (CIDR) that may resolve to non-public addresses."""
        value: Sequence[str] = getattr(settings, "OAUTH_ACCOUNTS_PRIVATE_HOSTS", ())
        return value

    @property
    def OAUTH_ACCOUNTS_ALLOWED_HOSTS(self) -> Collection[str] | None:
        """The only hosts that may be called; None = any that is public."""
        value = getattr(settings, "OAUTH_ACCOUNTS_ALLOWED_HOSTS", None)
        # What is no list (check E015) must not open anything.
        return value if value is None or isinstance(value, LISTS) else ()

    def is_host_allowed(self, host: str) -> bool:
        """Say whether the setting above lets a host be called. host: lower case."""
        hosts = self.OAUTH_ACCOUNTS_ALLOWED_HOSTS
        if hosts is None:
            return True
        return any(is_same_domain(host, str(entry).lower()) for entry in hosts)

    @property
    def OAUTH_ACCOUNTS_SUCCESS_URL(self) -> str:
        """URL or URL name to go to after connecting, when the form named none."""
        value: str = getattr(
            settings, "OAUTH_ACCOUNTS_SUCCESS_URL", "oauth_accounts:list"
        )
        return value

    @property
    def OAUTH_ACCOUNTS_EVENTS_KEPT(self) -> int | None:
        """Days that events are kept; None = for ever."""
        value = getattr(settings, "OAUTH_ACCOUNTS_EVENTS_KEPT", None)
        return None if value is None else int(value)

    @property
    def OAUTH_ACCOUNTS_NOTICES(self) -> Collection[str]:
        """What owners are told of by mail: of NOTICES; by default nothing."""
        value = getattr(settings, "OAUTH_ACCOUNTS_NOTICES", ())
        # What is no list (check E016) sends nothing.
        wanted = value if isinstance(value, LISTS) else ()
        return [kind for kind in NOTICES if kind in wanted]

    @property
    def OAUTH_ACCOUNTS_NOTICES_FROM(self) -> str:
        """Address that notices come from; by default Django's DEFAULT_FROM_EMAIL."""
        value = getattr(settings, "OAUTH_ACCOUNTS_NOTICES_FROM", None)
        return str(value or settings.DEFAULT_FROM_EMAIL)

    @property
    def OAUTH_ACCOUNTS_GET_NOTICE_RECIPIENTS(self) -> Callable[[Any], Any] | None:
        """Callable, or dotted path to one, that takes an account and returns addresses."""
        return _callable("OAUTH_ACCOUNTS_GET_NOTICE_RECIPIENTS")

    @property
    def OAUTH_ACCOUNTS_GET_NOTICE_LANGUAGE(self) -> Callable[[Any], Any] | None:
        """Callable, or dotted path to one, that takes an account and returns a language."""
        return _callable("OAUTH_ACCOUNTS_GET_NOTICE_LANGUAGE")

    @property
    def DEBUG(self) -> bool:
        return bool(settings.DEBUG)


def _callable(name: str) -> Callable[[Any], Any] | None:
    value = getattr(settings, name, None)
    found: Callable[[Any], Any] | None = (
        import_string(value) if isinstance(value, str) else value
    )
    return found


def _request_user(request: Any) -> Any:
    return request.user


conf = Settings()
