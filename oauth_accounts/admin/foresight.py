"""What an action is going to do, before anybody says yes: to how many, and who is left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, QuerySet
from django.utils.translation import ngettext

from oauth_accounts.eligibility import (
    Kind,
    closed_providers,
    own_obstacle,
    token_state,
)
from oauth_accounts.models import ConnectedAccount


@dataclass(frozen=True, kw_only=True, slots=True)
class Outlook:
    """What is known beforehand; something may change until it is done."""

    total: int
    concerned: int
    passed_over: list[str]
    """In words: how many, and why."""


def foresee(kind: str, rows: QuerySet[ConnectedAccount], *, most_now: int) -> Outlook:
    """
    Count whom an action is about, and whom it is going to pass over; two queries at most.

    most_now: more accounts than that are left to the workers, and their refreshes to the
    sweep, which waits for a provider that is paused.
    """
    counted = rows.order_by().values_list("status", "provider", token_state())
    groups = [
        (own_obstacle(kind, status, token), provider, number)
        for status, provider, token, number in counted.annotate(Count("pk"))
    ]
    total = sum(number for _reason, _provider, number in groups)
    if kind == Kind.REFRESH:
        open_to = {p for r, p, _n in groups if not r}
        closed = closed_providers(open_to, rows.db, waits=total > most_now)
        groups = [(r or closed.get(p, ""), p, number) for r, p, number in groups]
    reasons: Counter[str] = Counter()
    for reason, _provider, number in groups:
        reasons[reason] += number
    concerned = reasons.pop("", 0)
    passed_over = [_say(reason, number) for reason, number in sorted(reasons.items())]
    return Outlook(total=total, concerned=concerned, passed_over=passed_over)


def _say(reason: str, number: int) -> str:
    words: dict[str, Any] = {"number": number}
    if reason in ConnectedAccount.Status.values:
        words["status"] = ConnectedAccount.Status(reason).label
        text = ngettext(
            "%(number)d is passed over, because its status is “%(status)s”.",
            "%(number)d are passed over, because their status is “%(status)s”.",
            number,
        )
    elif reason == "no_refresh_token":
        text = ngettext(
            "%(number)d is passed over, because it has no refresh token.",
            "%(number)d are passed over, because they have no refresh token.",
            number,
        )
    elif reason == "undecryptable":
        text = ngettext(
            "%(number)d is passed over, because its token does not open with the keys in "
            "FERNET_KEYS.",
            "%(number)d are passed over, because their tokens do not open with the keys in "
            "FERNET_KEYS.",
            number,
        )
    elif reason == "provider_paused":
        text = ngettext(
            "%(number)d is passed over, because calls to its provider are paused.",
            "%(number)d are passed over, because calls to their provider are paused.",
            number,
        )
    elif reason == "provider_disabled":
        text = ngettext(
            "%(number)d is passed over, because its provider is disabled.",
            "%(number)d are passed over, because their provider is disabled.",
            number,
        )
    else:
        text = ngettext(
            "%(number)d is passed over, because its provider's addresses are in doubt.",
            "%(number)d are passed over, because their provider's addresses are in doubt.",
            number,
        )
    return text % words
