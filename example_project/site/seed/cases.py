"""Accounts that show one state each; most of them belong to the demo's member."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from example_project.site import logins
from example_project.site.seed import people

MINUTES, HOURS, DAYS = (timedelta(**{unit: 1}) for unit in ("minutes", "hours", "days"))
MEMBER = logins.MEMBER
# Out of the reach of a worker that runs beside: a refresh would end the state.
LATER = 20 * HOURS

LONG = (
    "the-committee-for-the-preservation-of-punched-cards-and-their-punches"
    "@correspondence.analytical-society.example"
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """
    An account in one state.

    key: unique; its primary key follows from it. owner: user name, None for the application.
    uid: at the provider; the label unless given. age: since the connection. life: of the
    access token, counted from now; None for one whose end is unknown. due: until the refresh,
    None for none. refresh: whether there is a refresh token. columns: further ones; spans of
    time are counted from now. outcome: of its revocation. notice: what
    became of the mail about it. happened: kind and reason of events,
    oldest first, after the connection.
    """

    key: str
    service: str
    label: str
    owner: str | None = MEMBER
    uid: str = ""
    status: str = "active"
    reason: str = ""
    age: timedelta = 40 * DAYS
    life: timedelta | None = 50 * MINUTES
    due: timedelta | None = None
    refresh: bool = True
    columns: dict[str, Any] = field(default_factory=dict)
    outcome: str = ""
    notice: str = ""
    happened: tuple[tuple[str, str], ...] = ()


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

NEEDS_REAUTH = tuple(
    Case(
        key=f"reauth-{reason}",
        service=service,
        label=label,
        status="needs_reauth",
        reason=reason,
        life=-5 * HOURS,
        columns={"last_error": error},
        notice=notice,
        happened=(("reauth_required", reason),),
    )
    for reason, service, label, error, notice in (
        ("invalid_grant", "octoforge", "hedy-patents", "invalid_grant", "sent"),
        ("refresh_token_expired", "harbor-drive", "Attic", "invalid_grant", "waiting"),
        (
            "rotation_lost",
            "pigeon-mail",
            "torpedo@pigeon.example",
            "invalid_grant",
            "failed",
        ),
        ("identity_changed", "ledgerline", "Books of 1941", "", "dropped"),
        ("imported_unverified", "tidal-calendar", "Imported calendar", "", ""),
        ("admin_request", "octoforge", "hedy-archive", "", ""),
    )
)

DISABLED = (
    Case(
        key="disabled-by-admin",
        service="octoforge",
        label="hedy-bot",
        status="disabled",
        reason="by_admin",
        life=-9 * HOURS,
        happened=(("disabled", "by_admin"),),
    ),
    Case(
        key="disabled-owner",
        service="harbor-drive",
        label="ruby@harbor.example",
        owner=people.LEFT,
        status="disabled",
        reason="owner_inactive",
        life=-30 * DAYS,
        happened=(("disabled", "owner_inactive"),),
    ),
    Case(
        key="disabled-provider",
        service="moving-maps",
        label="Old addresses",
        status="disabled",
        reason="provider_changed",
        life=-2 * DAYS,
        happened=(("disabled", "provider_changed"),),
    ),
)

REVOKED = tuple(
    Case(
        key=f"revoked-{outcome or reason}",
        service=service,
        label=label,
        status="revoked",
        reason=reason,
        outcome=outcome,
        happened=(("revoked", reason), *happened),
    )
    for outcome, reason, service, label, happened in (
        (
            "confirmed",
            "by_owner",
            "octoforge",
            "hedy-once",
            (("revocation_confirmed", "confirmed"),),
        ),
        (
            "unsupported",
            "by_admin",
            "harbor-drive",
            "Shared folder",
            (("revocation_failed", "unsupported"),),
        ),
        (
            "failed",
            "by_owner",
            "tidal-calendar",
            "Calendar of 1942",
            (("revocation_failed", "unreachable"),),
        ),
        ("pending", "by_admin", "ledgerline", "Books of 1933", ()),
        (
            "superseded",
            "by_owner",
            "pigeon-mail",
            "again@pigeon.example",
            (("revocation_failed", "superseded"),),
        ),
        ("", "at_provider", "pigeon-mail", "withdrawn@pigeon.example", ()),
    )
)

OTHERS = (
    Case(
        key="of-the-application",
        service="octoforge",
        label="example-site-deploys",
        owner=None,
        age=400 * DAYS,
        due=25 * MINUTES,
    ),
    # Sealed with a key that nobody has any more.
    Case(key="undecryptable", service="octoforge", label="hedy-lost-key", due=LATER),
)

# Of somebody who uses the site as people do.
FEW = (
    Case(
        key="few-active",
        service="octoforge",
        label="edith-c",
        owner=logins.REGULAR,
        age=90 * DAYS,
        due=45 * MINUTES,
    ),
    Case(
        key="few-reauth",
        service="octoforge",
        label="edith-at-the-yard",
        owner=logins.REGULAR,
        status="needs_reauth",
        reason="invalid_grant",
        age=75 * DAYS,
        life=-26 * HOURS,
        happened=(("reauth_required", "invalid_grant"),),
    ),
    Case(
        key="few-files",
        service="harbor-drive",
        label="edith@harbor.example",
        owner=logins.REGULAR,
        age=31 * DAYS,
        due=44 * MINUTES,
    ),
    Case(
        key="few-narrowed",
        service="pigeon-mail",
        label="edith@pigeon.example",
        owner=logins.REGULAR,
        reason="scopes_narrowed",
        age=9 * DAYS,
        due=43 * MINUTES,
        columns={"scopes": ["mail.read", "offline_access"]},
    ),
    Case(
        key="few-revoked",
        service="tidal-calendar",
        label="Edith’s calendar",
        owner=logins.REGULAR,
        status="revoked",
        reason="by_owner",
        age=120 * DAYS,
        outcome="confirmed",
        happened=(("revoked", "by_owner"), ("revocation_confirmed", "confirmed")),
    ),
)

CASES = (*FEW, *ACTIVE, *NEEDS_REAUTH, *DISABLED, *REVOKED, *OTHERS)
