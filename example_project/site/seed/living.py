"""Accounts that are used, also those whose last refresh did not go well."""

from __future__ import annotations

from typing import Any

from example_project.site.seed.case import DAYS, HOURS, LATER, MINUTES, Case

LONG = (
    "the-committee-for-the-preservation-of-punched-cards-and-their-punches"
    "@correspondence.analytical-society.example"
)


def _failing(reason: str, error: str, count: int, **columns: Any) -> dict[str, Any]:
    return {
        "status_reason": reason,
        "last_error": error,
        "failure_count": count,
        **columns,
    }


ACTIVE = (
    Case(key="active", service="octoforge", label="hedy-builds", due=45 * MINUTES),
    Case(
        key="second",
        service="octoforge",
        label="hedy-at-work",
        age=12 * DAYS,
        due=40 * MINUTES,
    ),
    Case(
        key="narrowed",
        service="octoforge",
        label="hedy-reads-only",
        age=3 * DAYS,
        due=42 * MINUTES,
        reason="scopes_narrowed",
        columns={"scopes": ["repo:read"]},
        happened=(("scopes_changed", "scopes_narrowed"),),
    ),
    Case(
        key="retrying",
        service="harbor-drive",
        label="hedy@harbor.example",
        life=9 * MINUTES,
        due=LATER,
        columns=_failing("retrying", "server_error", 2),
        happened=(("refresh_failed", "server_error"),),
    ),
    Case(
        key="rate-limited",
        service="harbor-drive",
        label="archive@harbor.example",
        life=30 * MINUTES,
        due=LATER,
        columns=_failing("rate_limited", "rate_limited", 1),
    ),
    Case(
        key="outcome-unknown",
        service="pigeon-mail",
        label="hedy@pigeon.example",
        life=20 * MINUTES,
        due=LATER,
        columns=_failing(
            "outcome_unknown",
            "outcome_unknown",
            1,
            attempt_started_at=-2 * MINUTES,
        ),
    ),
    # No refresh token: it simply ends.
    Case(
        key="expiring",
        service="pigeon-mail",
        label="newsletter@pigeon.example",
        life=35 * MINUTES,
        refresh=False,
    ),
    Case(
        key="expired",
        service="pigeon-mail",
        label="holiday@pigeon.example",
        life=-3 * HOURS,
        refresh=False,
    ),
    Case(
        key="grant-ends",
        service="harbor-drive",
        label="auditor@harbor.example",
        due=LATER,
        columns={"refresh_token_expires_at": 2 * DAYS},
    ),
    # Its provider is paused, so that nobody takes it.
    Case(
        key="overdue",
        service="ledgerline",
        label="Books of 1962",
        life=-70 * MINUTES,
        due=-75 * MINUTES,
        columns=_failing("retrying", "invalid_client", 4),
        happened=(("refresh_failed", "invalid_client"),),
    ),
    Case(
        key="half-open",
        service="tidal-calendar",
        label="Hedy’s calendar",
        life=-4 * MINUTES,
        due=LATER,
        columns=_failing("retrying", "unavailable", 1),
    ),
    Case(key="provider-off", service="old-crm", label="Hedy (old CRM)", due=None),
    Case(key="in-doubt", service="moving-maps", label="Hedy’s places", due=LATER),
    Case(
        key="unused",
        service="octoforge",
        label="hedy-hobby",
        age=500 * DAYS,
        due=30 * MINUTES,
        columns={"last_refreshed_at": -45 * MINUTES},
    ),
    Case(key="long", service="harbor-drive", label=LONG, due=38 * MINUTES),
    Case(key="hebrew", service="pigeon-mail", label="הדי למאר", due=33 * MINUTES),
    Case(
        key="arabic", service="harbor-drive", label="مريم الأسطرلابي", due=34 * MINUTES
    ),
    Case(
        key="kana", service="pigeon-mail", label="山田 花子（個人）", due=36 * MINUTES
    ),
)
