"""Many accounts more, so that lists have pages and figures a shape."""

from __future__ import annotations

import random
from collections.abc import Iterator

from example_project.site.seed import people
from example_project.site.seed.case import DAYS, LATER, MINUTES, Case
from example_project.site.seed.services import SERVICES

SIZE = 240
# Always the same crowd.
SEED = 1842

# Of a thousand accounts.
ODDS = {
    ("active", ""): 865,
    ("active", "retrying"): 25,
    ("active", "scopes_narrowed"): 20,
    ("needs_reauth", "invalid_grant"): 40,
    ("needs_reauth", "refresh_token_expired"): 15,
    ("revoked", "by_owner"): 25,
    ("disabled", "by_admin"): 10,
}
QUIET = frozenset({"ledgerline", "tidal-calendar", "old-crm"})
EVENT = {
    "needs_reauth": "reauth_required",
    "revoked": "revoked",
    "disabled": "disabled",
}


def cases() -> Iterator[Case]:
    """Yield the crowd's accounts, the same ones each time."""
    dice = random.Random(SEED)  # made-up data  # nosec B311
    slugs = [service.slug for service in SERVICES]
    shares = [service.share for service in SERVICES]
    for number in range(SIZE):
        (slug,) = dice.choices(slugs, shares)
        (state,) = dice.choices(list(ODDS), list(ODDS.values()))
        owner = people.CROWD[number % len(people.CROWD)]
        yield _case(dice, number, slug, owner, *state)


def _case(
    dice: random.Random, number: int, slug: str, owner: str, status: str, reason: str
) -> Case:
    left = dice.randint(6, 55) * MINUTES
    active = status == "active"
    due = left - 5 * MINUTES
    if reason or slug in QUIET:
        due = LATER
    event = EVENT.get(status)
    return Case(
        key=f"crowd-{number}",
        service=slug,
        label=f"{owner}{number}@{slug}.example",
        owner=owner,
        status=status,
        reason=reason,
        age=dice.randint(1, 700) * DAYS,
        life=left if active else -dice.randint(1, 60) * DAYS,
        due=due if active else None,
        columns={"failure_count": 1, "last_error": "server_error"}
        if reason == "retrying"
        else {},
        outcome="confirmed" if status == "revoked" else "",
        happened=((event, reason),) if event else (),
    )
