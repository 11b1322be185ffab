"""Accounts that show one state each; most of them belong to the demo's member."""

from __future__ import annotations

from example_project.site import logins
from example_project.site.seed import people
from example_project.site.seed.case import DAYS, HOURS, LATER, MINUTES, Case
from example_project.site.seed.living import ACTIVE

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
