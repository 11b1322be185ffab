"""The overview's numbers as they are shown: rounded where estimated, each with its list."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext

from oauth_accounts import keyring, reasons, rotate
from oauth_accounts.admin import badges, breaker, moments
from oauth_accounts.admin.links import Links, linked
from oauth_accounts.health.census import Queue
from oauth_accounts.health.providers import State
from oauth_accounts.health.report import Report
from oauth_accounts.models import ConnectedAccount, Provider

STATUSES = ConnectedAccount.Status
# More than anybody looks through; those with something to say come first.
PROVIDERS_SHOWN = 50
FAILURES_SHOWN = 10
SEVERITY = ("in_doubt", "paused", "incomplete", "trial", "ready", "disabled")


@dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    """One state, how many accounts are in it, and where they are listed."""

    pill: SafeString
    figure: SafeString


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One provider of the table."""

    name: SafeString
    pill: SafeString
    why: str
    figures: tuple[SafeString, ...]
    """Active, needing reauthorisation, revoked, disabled, due within the hour, overdue."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """Accounts under one key."""

    key_id: str
    pill: SafeString
    figure: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """A line about the background work."""

    name: str
    value: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Refreshes that failed for one reason at one provider."""

    provider: SafeString
    reason: str
    code: str
    count: str


def exact(count: int) -> str:
    """Return a number with its thousands apart."""
    return str(number_format(count, force_grouping=True))


def number(count: int, *, is_exact: bool = True) -> str:
    """Return a number, to two digits and as such where it was estimated."""
    if is_exact or not count:
        return exact(count)
    rounded = round(count, 2 - len(str(count)))
    return gettext("about %(number)s") % {"number": exact(rounded)}


def figure(count: int, address: str, *, is_exact: bool = True) -> SafeString:
    """Return a number, as a link where there is something to see."""
    text = number(count, is_exact=is_exact)
    return linked(text, address if count else "")


def statuses(report: Report, links: Links) -> list[Status]:
    """Return how many accounts are in each state."""
    return [
        Status(
            pill=badges.pill(status.value),
            figure=figure(
                report.census.count(status.value),
                links.accounts(status__exact=status.value),
                is_exact=_is_exact(report, status),
            ),
        )
        for status in STATUSES
    ]


def _is_exact(report: Report, status: Any) -> bool:
    if status == STATUSES.ACTIVE:
        return not report.census.sampled
    return report.census.is_stopped_exact


def providers(report: Report, links: Links) -> list[Row]:
    """Return the table of providers: what is wrong first, then by name."""
    return [_row(report, state, links) for state in _ordered(report)[:PROVIDERS_SHOWN]]


def hidden(report: Report) -> int:
    """Return how many providers the table leaves out."""
    return max(0, len(report.register.states) - PROVIDERS_SHOWN)


def _ordered(report: Report) -> list[State]:
    return sorted(report.register.states, key=lambda s: SEVERITY.index(s.code))


def _row(report: Report, state: State, links: Links) -> Row:
    census, provider = report.census, state.provider
    queue = census.queues.get(provider.pk, Queue())
    counts = [
        figure(
            census.count(status.value, provider.pk),
            links.accounts_at(provider, status__exact=status.value),
            is_exact=_is_exact(report, status),
        )
        for status in STATUSES
    ]
    soon = links.accounts_at(provider, refresh="due")
    overdue = links.accounts_at(provider, refresh="overdue")
    return Row(
        name=linked(str(provider), links.provider(provider)),
        pill=badges.pill(state.code),
        why=why(state, report.register.now),
        figures=(
            *counts,
            figure(queue.soon, soon, is_exact=census.is_soon_exact),
            figure(queue.overdue, overdue, is_exact=census.is_due_exact),
        ),
    )


def why(state: State, now: datetime) -> str:
    """Say what stops a provider, "" for nothing. now: by the database's clock."""
    if state.code in {"paused", "trial"}:
        return breaker.explained(
            state.provider, now if state.code == "paused" else None
        )
    if state.code == "incomplete":
        names = ", ".join(labels(state.missing))
        return gettext("Enter: %(names)s") % {"names": names}
    if state.code == "in_doubt":
        return gettext("Nothing is sent: its addresses are in doubt.")
    return ""


def labels(names: Iterable[str]) -> list[str]:
    """Return the fields of a provider as its page calls them."""
    fields = (Provider._meta.get_field(name) for name in names)
    return [str(field.verbose_name) for field in fields]  # type: ignore[union-attr]


def keys(report: Report) -> list[Key]:
    """Return how many accounts are under each key; [] where FERNET_KEYS is not usable."""
    try:
        ring = keyring.current()
    except ImproperlyConfigured:
        return []
    # Those of FERNET_KEYS first, in its order, also those that nothing is under.
    ids = [*ring.ids, *sorted(set(report.census.keys) - set(ring.ids))]
    is_exact = not report.census.sampled
    return [
        Key(
            key_id=key_id or "–",
            pill=_age(rotate.age_of(key_id, ring)),
            figure=number(report.census.keys[key_id], is_exact=is_exact),
        )
        for key_id in ids
    ]


def _age(age: str) -> SafeString:
    return {
        "newest": badges.toned(badges.GOOD, gettext("Newest: writes and reads")),
        "older": badges.toned(badges.INFO, gettext("Older: reads")),
        "unknown": badges.toned(badges.BAD, gettext("Not in FERNET_KEYS")),
    }[age]


def work(report: Report, links: Links) -> list[Fact]:
    """Return what is known of the work in the background."""
    census, box = report.census, report.outbox
    queues = list(census.queues.values())
    soon, overdue = sum(q.soon for q in queues), sum(q.overdue for q in queues)
    oldest = min((q.oldest for q in queues if q.oldest), default=None)
    waiting = figure(box.waiting, links.revocations(status__exact="pending"))
    failed = figure(box.failed, links.revocations(status__exact="failed"))
    # A number may be a link.
    at_least = gettext("at least %(number)s") % {"number": "{}"}
    return [
        Fact(name=gettext("Last sweep"), value=_swept(report)),
        Fact(
            name=gettext("Due within the hour"),
            value=figure(
                soon, links.accounts(refresh="due"), is_exact=census.is_soon_exact
            ),
        ),
        Fact(
            name=gettext("Overdue, for more than 5 minutes"),
            value=figure(
                overdue, links.accounts(refresh="overdue"), is_exact=census.is_due_exact
            ),
        ),
        Fact(name=gettext("Oldest that is due"), value=_ago(report, oldest)),
        Fact(
            name=gettext("Revocations that wait"),
            value=waiting if box.is_exact else format_html(at_least, waiting),
        ),
        Fact(
            name=gettext("Oldest revocation that waits"), value=_ago(report, box.oldest)
        ),
        Fact(
            name=gettext("Revocations that were given up"),
            value=failed if box.is_exact else format_html(at_least, failed),
        ),
    ]


def _swept(report: Report) -> Any:
    if report.register.swept_at is None:
        return gettext("never, as far as is known")
    return _ago(report, report.register.swept_at)


def _ago(report: Report, moment: Any) -> Any:
    return moments.relative(moment, report.register.now) or "–"


def failures(report: Report, links: Links) -> list[Failure]:
    """Return why refreshes failed in the last day, the most frequent first."""
    known = {state.provider.pk: state.provider for state in report.register.states}
    common = report.day.failures.most_common(FAILURES_SHOWN)
    return [
        Failure(
            provider=linked(str(known[key]), links.provider(known[key])),
            reason=reasons.describe_account(code),
            code=code,
            count=exact(count),
        )
        for (key, code), count in common
    ]


def method(report: Report) -> str:
    """Say how the accounts were counted; "" when each of them was."""
    if not report.census.sampled:
        return ""
    return ngettext(
        "Numbers with “about” are estimates, made when this page was opened: "
        "%(number)d account was looked at, chosen by chance. “manage.py oauth_accounts "
        "status” counts all of them.",
        "Numbers with “about” are estimates, made when this page was opened: "
        "%(number)d accounts were looked at, chosen by chance. “manage.py oauth_accounts "
        "status” counts all of them.",
        report.census.sampled,
    ) % {"number": report.census.sampled}
