"""Organisations as owners, without the `run_before` of the migration that makes them."""

from __future__ import annotations

from tests.settings_organisation import *  # noqa: F403

MIGRATION_MODULES = {"organisations": "tests.organisations.unordered.migrations"}
