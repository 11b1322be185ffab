"""Checks of what would make stored tokens or the process unsafe."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning

from oauth_accounts import keyring

FORBIDDEN_ENVIRONMENT = (
    "OAUTHLIB_INSECURE_TRANSPORT",
    "OAUTHLIB_RELAX_TOKEN_SCOPE",
)


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
    names = ("CELERY_ACCEPT_CONTENT", "CELERY_RESULT_ACCEPT_CONTENT")
    accepted = {c for name in names for c in getattr(settings, name, None) or ()}
    if accepted.isdisjoint({"pickle", "application/x-python-serialize"}):
        return []
    return [
        Error(
            "Celery accepts pickled messages.",
            hint="Set CELERY_ACCEPT_CONTENT = ['json'].",
            id="oauth_accounts.E008",
        )
    ]
