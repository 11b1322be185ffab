"""Organisations own the accounts, and somebody is told of what becomes of them."""

from __future__ import annotations

from tests.settings_organisation import *  # noqa: F403

OAUTH_ACCOUNTS_BASE_URL = "https://www.example.com"
OAUTH_ACCOUNTS_NOTICES = ["reauth_required", "connected", "disconnected"]
