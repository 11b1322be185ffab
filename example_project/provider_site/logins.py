"""The made-up log-in at the authorization server; may be imported without Django."""

from __future__ import annotations

DEMO_USER = "ada"
DEMO_PASSWORD = "analytical-engine"
