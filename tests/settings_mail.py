"""The suite's settings with notices on, and a mail server on loopback (child processes)."""

from __future__ import annotations

import os

import django

from tests.settings import *  # noqa: F403

OAUTH_ACCOUNTS_BASE_URL = "https://www.example.com"
OAUTH_ACCOUNTS_NOTICES = ["reauth_required", "connected", "disconnected"]
_SMTP = "django.core.mail.backends.smtp.EmailBackend"
_PORT = int(os.environ.get("TEST_SMTP_PORT", "0"))
if django.VERSION >= (6, 1):
    MAILERS = {
        "default": {"BACKEND": _SMTP, "OPTIONS": {"host": "127.0.0.1", "port": _PORT}}
    }
else:
    EMAIL_BACKEND, EMAIL_HOST, EMAIL_PORT = _SMTP, "127.0.0.1", _PORT
