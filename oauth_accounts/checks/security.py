"""Checks of what would make stored tokens or the process unsafe."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Mapping
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning

from oauth_accounts import keyring

FORBIDDEN_ENVIRONMENT = (
    "OAUTHLIB_INSECURE_TRANSPORT",
    "OAUTHLIB_RELAX_TOKEN_SCOPE",
)
PICKLE = {"pickle", "application/x-python-serialize"}
CELERY_FORMATS = (
    "accept_content",
    "event_serializer",
    "result_accept_content",
    "result_serializer",
    "task_serializer",
)
SIGNED_COOKIES = "django.contrib.sessions.backends.signed_cookies"
TALKATIVE = ("oauthlib", "requests_oauthlib", "urllib3")


def check_keys(**kwargs: Any) -> list[CheckMessage]:
    """Check FERNET_KEYS: E001 unset, E002 malformed, W001 unset while developing."""
    keys = getattr(settings, "FERNET_KEYS", None)
    hint = (
        "Make one with: python -c 'import secrets; print(secrets.token_urlsafe(48))' "
        "and keep it out of the code: FERNET_KEYS = [os.environ['FERNET_KEY']]"
    )
    if keys is None and settings.DEBUG:
        return [
            Warning(
                "FERNET_KEYS is not set: SECRET_KEY encrypts the tokens while DEBUG is on.",
                hint=hint,
                id="oauth_accounts.W001",
            )
        ]
    if keys is None:
        return [Error("FERNET_KEYS is not set.", hint=hint, id="oauth_accounts.E001")]
    return [
        Error(problem, hint=hint, id="oauth_accounts.E002")
        for problem in keyring.key_problems(keys)
    ]


def check_hkdf(**kwargs: Any) -> list[CheckMessage]:
    """Warn that switching key derivation off or on makes stored rows unreadable (W002)."""
    if getattr(settings, "FERNET_USE_HKDF", True):
        return []
    return [
        Warning(
            "FERNET_USE_HKDF is False: rows written with it on cannot be read.",
            hint="Leave it out, unless the rows were written without it from the start.",
            id="oauth_accounts.W002",
        )
    ]


def check_environment(**kwargs: Any) -> list[CheckMessage]:
    """Refuse variables that switch checks of oauthlib off for the whole process (E003)."""
    if settings.DEBUG:
        return []
    return [
        Error(
            f"The environment variable {name} is set.",
            hint="Unset it: it weakens OAuth for everything in this process.",
            id="oauth_accounts.E003",
        )
        for name in FORBIDDEN_ENVIRONMENT
        if os.environ.get(name)
    ]


def check_celery(**kwargs: Any) -> list[CheckMessage]:
    """Refuse pickle in Celery's settings: a message could run code (E008)."""
    values = (_celery_setting(name) for name in CELERY_FORMATS)
    used = {str(one) for value in values for one in value}
    if used.isdisjoint(PICKLE):
        return []
    return [
        Error(
            "Celery accepts or sends pickled messages or results.",
            hint="Leave its serializers out and set CELERY_ACCEPT_CONTENT = ['json'].",
            id="oauth_accounts.E008",
        )
    ]


def _celery_setting(name: str) -> list[Any]:
    """Return what is set as CELERY_... or in a dict CELERY, in each way to write it."""
    found = [getattr(settings, f"CELERY_{name.upper()}", None)]
    own = getattr(settings, "CELERY", None)
    if isinstance(own, Mapping):
        names = {name, name.upper(), f"CELERY_{name.upper()}"}
        found += [value for key, value in own.items() if key in names]
    lists = ([value] if isinstance(value, str) else value for value in found)
    return [one for value in lists if isinstance(value, Collection) for one in value]


def check_session_engine(**kwargs: Any) -> list[CheckMessage]:
    """Warn that the server cannot end sessions that are kept in cookies (W010)."""
    if settings.SESSION_ENGINE != SIGNED_COOKIES:
        return []
    return [
        Warning(
            "Sessions are kept in signed cookies: whoever copied one stays logged in, and "
            "may connect accounts, after its user has logged out.",
            hint="Set SESSION_ENGINE to a backend that keeps sessions on the server.",
            id="oauth_accounts.W010",
        )
    ]


def check_session_cookie(**kwargs: Any) -> list[CheckMessage]:
    """Warn that a Strict session cookie is not sent on the way back (W011)."""
    if settings.SESSION_COOKIE_SAMESITE != "Strict":
        return []
    return [
        Warning(
            "SESSION_COOKIE_SAMESITE is 'Strict': users come back from a provider without "
            "their session, and no account can be connected.",
            hint="Set it to 'Lax', Django's default.",
            id="oauth_accounts.W011",
        )
    ]


def check_loggers(**kwargs: Any) -> list[CheckMessage]:
    """Warn of loggers that print tokens at DEBUG when others use their library (W012)."""
    names = [] if settings.DEBUG else [name for name in TALKATIVE if _talks(name)]
    if not names:
        return []
    return [
        Warning(
            f"These loggers are at DEBUG: {', '.join(names)}. They print tokens, codes and "
            "addresses of whatever else in this process uses their libraries.",
            hint="Set their level to INFO in LOGGING.",
            id="oauth_accounts.W012",
        )
    ]


def _talks(name: str) -> bool:
    below = (n for n in logging.root.manager.loggerDict if n.startswith(f"{name}."))
    loggers = map(logging.getLogger, (name, *below))
    return any(logger.isEnabledFor(logging.DEBUG) for logger in loggers)
