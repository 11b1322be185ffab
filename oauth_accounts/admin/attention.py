"""What needs somebody: in words, the worst first, each with where to do something about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from oauth_accounts import reasons
from oauth_accounts.admin import badges, moments
from oauth_accounts.admin.figures import exact, labels, number
from oauth_accounts.admin.links import Links
from oauth_accounts.health.providers import State
from oauth_accounts.health.report import Report
from oauth_accounts.outages import CLIENT_REFUSED

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

WORDS: dict[str, StrPromise] = {
    badges.BAD: _("Act now"),
    badges.WARNING: _("Look at it"),
    badges.INFO: _("For later"),
}
# Providers that fail alike are named one by one up to this many.
NAMED = 5
# A revocation is tried again for a while; that long, and the provider is in trouble.
PATIENCE = timedelta(hours=1)
# A provider that is well fails less often than this.
FAILING_SHARE = 0.1
FAILING_COUNT = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One thing to do."""

    tone: str
    text: str
    address: str = ""
    link: str = ""
    """What the address leads to, in words."""

    @property
    def pill(self) -> SafeString:
        return badges.toned(self.tone, str(WORDS[self.tone]))


def items(report: Report, links: Links) -> list[Item]:
    """Return what needs somebody, the worst first."""
    found = [
        *_keys(report, links),
        *_sweeps(report, links),
        *_providers(report, links),
        *_accounts(report, links),
        *_failures(report),
        *_revocations(report, links),
    ]
    order = list(WORDS)
    return sorted(found, key=lambda item: order.index(item.tone))


def _keys(report: Report, links: Links) -> Iterable[Item]:
    if problem := report.keys_problem():
        text = gettext(
            "No token can be read or stored: %(problem)s Put it right in the settings."
        ) % {"problem": problem}
        yield Item(tone=badges.BAD, text=text)
        return
    ages = report.keys_by_age()
    unknown, closed = ages["unknown"], report.failed_as("undecryptable")
    keys = {"address": "#keys", "link": gettext("Keys")}
    accounts = links.accounts(status__exact="undecryptable")
    shown = {"address": accounts, "link": gettext("Accounts")} if accounts else keys
    # Of a large table, a sample was looked at.
    if unknown or (closed and report.census.sampled):
        text = gettext(
            "Some accounts are sealed under a key that FERNET_KEYS does not have. Nothing "
            "is lost: put the key back at the end of the list, and they work again."
        )
        yield Item(tone=badges.BAD, text=text, **shown)
    elif closed:
        text = gettext(
            "Tokens did not open in the last 24 hours, though no account is under a key "
            "that FERNET_KEYS does not have. If the key was put back since, nothing is to "
            "do; a token that is damaged is replaced when its owner connects again."
        )
        yield Item(tone=badges.WARNING, text=text, **keys)
    if ages["older"]:
        text = gettext(
            "Some accounts are still under an older key. Run “manage.py oauth_accounts "
            "rotate-keys” before you take that key out of FERNET_KEYS."
        )
        yield Item(tone=badges.INFO, text=text, **keys)


def _sweeps(report: Report, links: Links) -> Iterable[Item]:
    if report.is_unswept():
        swept_at, now = report.register.swept_at, report.register.now
        ran = gettext("No sweep has begun yet.")
        if swept_at is not None:
            ran = gettext("The last sweep began %(time)s.") % {
                "time": moments.distance(swept_at, now)
            }
        text = gettext(
            "Nobody keeps tokens fresh. %(ran)s Start Celery beat and a worker, or have "
            "cron run “manage.py oauth_accounts refresh” every minute."
        ) % {"ran": ran}
        yield Item(
            tone=badges.BAD, text=text, address="#work", link=gettext("Background work")
        )
    if count := report.overdue():
        text = ngettext(
            "%(number)s account has been due for more than 5 minutes. See that "
            "workers run, and that there are enough of them.",
            "%(number)s accounts have been due for more than 5 minutes. See that "
            "workers run, and that there are enough of them.",
            count,
        ) % {"number": number(count, is_exact=report.census.is_due_exact)}
        address = links.accounts(refresh="overdue")
        yield Item(
            tone=badges.WARNING, text=text, address=address, link=gettext("Overdue")
        )


def _providers(report: Report, links: Links) -> Iterable[Item]:
    for code in ("in_doubt", "paused", "incomplete", "trial"):
        states = report.of_code(code)
        for state in states[:NAMED]:
            yield Item(
                tone=_tone(state, report),
                text=_advice(state, report),
                address=links.provider(state.provider),
                link=str(state.provider),
            )
        if more := len(states) - NAMED:
            yield from _more(more, links)


def _more(count: int, links: Links) -> Iterable[Item]:
    if count > 0:
        text = ngettext(
            "%(count)d more provider is in the same state.",
            "%(count)d more providers are in the same state.",
            count,
        ) % {"count": count}
        address, link = links.providers(), gettext("All providers")
        yield Item(tone=badges.WARNING, text=text, address=address, link=link)


def _tone(state: State, report: Report) -> str:
    if state.code == "in_doubt":
        return badges.BAD
    if state.code == "paused":
        refused = state.provider.pause_reason in CLIENT_REFUSED
        return badges.BAD if refused else badges.WARNING
    # One that was only begun stops nobody.
    used = report.census.count(provider=state.provider.pk)
    return badges.WARNING if state.code == "incomplete" and used else badges.INFO


def _advice(state: State, report: Report) -> str:
    provider = state.provider
    words = {"name": provider.name, "names": ", ".join(labels(state.missing))}
    if state.code == "in_doubt":
        return (
            gettext(
                "Nothing is sent to %(name)s: its addresses were changed by other means than "
                "this app. Compare them on its page, and put them back or accept them."
            )
            % words
        )
    if state.code == "incomplete":
        text = gettext("%(name)s cannot be used yet. Enter on its page: %(names)s.")
        return text % words
    words["reason"] = reasons.describe_account(provider.pause_reason)
    if state.code == "trial":
        return (
            gettext(
                "%(name)s is tried with one call at a time, after a pause: %(reason)s "
                "Nothing to do, unless it lasts."
            )
            % words
        )
    assert provider.paused_until is not None  # noqa: S101  # or it would not be paused
    words["time"] = moments.distance(provider.paused_until, report.register.now)
    if provider.pause_reason in CLIENT_REFUSED:
        return (
            gettext(
                "Calls to %(name)s are paused: %(reason)s Check its client ID and secret, "
                "then resume."
            )
            % words
        )
    return (
        gettext(
            "Calls to %(name)s are paused: %(reason)s They are tried again by themselves "
            "%(time)s."
        )
        % words
    )


def _accounts(report: Report, links: Links) -> Iterable[Item]:
    if count := report.census.count("needs_reauth"):
        text = ngettext(
            "%(number)s account needs its owner, who has to connect it again. Their page "
            "of connected accounts says so.",
            "%(number)s accounts need their owners, who have to connect them again. Their "
            "page of connected accounts says so.",
            count,
        ) % {"number": number(count, is_exact=report.census.is_stopped_exact)}
        yield Item(
            tone=badges.WARNING,
            text=text,
            address=links.accounts(status__exact="needs_reauth"),
            link=gettext("Accounts"),
        )


def _failures(report: Report) -> Iterable[Item]:
    failed, all_of_them = report.day.failed, report.day.failed + report.day.succeeded
    if failed >= FAILING_COUNT and failed > FAILING_SHARE * all_of_them:
        text = gettext(
            "%(failed)s of %(count)s refreshes failed in the last 24 hours. The reasons "
            "are below the chart."
        ) % {"failed": exact(failed), "count": exact(all_of_them)}
        yield Item(
            tone=badges.WARNING,
            text=text,
            address="#refreshes",
            link=gettext("Refreshes"),
        )


def _revocations(report: Report, links: Links) -> Iterable[Item]:
    box, now = report.outbox, report.register.now
    if box.oldest is not None and now - box.oldest > PATIENCE:
        text = gettext(
            "The oldest revocation was asked for %(time)s and has not been sent. The list "
            "says why; the workers that refresh tokens also send revocations."
        ) % {"time": moments.distance(box.oldest, now)}
        yield Item(
            tone=badges.WARNING,
            text=text,
            address=links.revocations(status__exact="pending"),
            link=gettext("Revocations that wait"),
        )
    if box.failed:
        text = ngettext(
            "%(number)s revocation was given up: the provider may still accept that "
            "token. End the access there by hand.",
            "%(number)s revocations were given up: the provider may still accept those "
            "tokens. End the access there by hand.",
            box.failed,
        ) % {"number": exact(box.failed)}
        yield Item(
            tone=badges.INFO,
            text=text,
            address=links.revocations(status__exact="failed"),
            link=gettext("Given up"),
        )
