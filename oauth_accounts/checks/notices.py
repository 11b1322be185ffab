"""Checks of the settings about mail to owners."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning

from oauth_accounts.checks.sweeps import beat_schedule, entries_of, other_scheduler
from oauth_accounts.conf import LISTS, NOTICES, conf

TASK = "oauth_accounts.tasks.deliver_notices"
CALLABLES = (
    "OAUTH_ACCOUNTS_GET_NOTICE_RECIPIENTS",
    "OAUTH_ACCOUNTS_GET_NOTICE_LANGUAGE",
)


def check_notices(**kwargs: Any) -> list[CheckMessage]:
    """Check OAUTH_ACCOUNTS_NOTICES: E016 no list or unknown kinds, E018 nowhere to link to."""
    value = getattr(settings, "OAUTH_ACCOUNTS_NOTICES", ())
    if not isinstance(value, LISTS) or any(kind not in NOTICES for kind in value):
        return [
            Error(
                "OAUTH_ACCOUNTS_NOTICES is not a list of kinds of notices.",
                hint=f"There are: {', '.join(map(repr, NOTICES))}. An empty list sends none.",
                id="oauth_accounts.E016",
            )
        ]
    if not value or conf.OAUTH_ACCOUNTS_BASE_URL:
        return []
    return [
        Error(
            "OAUTH_ACCOUNTS_NOTICES is set and OAUTH_ACCOUNTS_BASE_URL is not: mails have "
            "to link to this site, and are not sent.",
            hint="Set it to the site's address, as 'https://www.example.com'.",
            id="oauth_accounts.E018",
        )
    ]


def check_notice_callables(**kwargs: Any) -> list[CheckMessage]:
    """Check what else can be set about notices: callables and the sender (E017)."""
    problems = [problem for name in CALLABLES if (problem := _callable_problem(name))]
    sender = getattr(settings, "OAUTH_ACCOUNTS_NOTICES_FROM", None)
    if sender is not None and not _is_sender(sender):
        problems.append("OAUTH_ACCOUNTS_NOTICES_FROM is not an e-mail address.")
    return [Error(problem, id="oauth_accounts.E017") for problem in problems]


def _callable_problem(name: str) -> str:
    try:
        found = getattr(conf, name)
    except ImportError as error:
        return f"{name} cannot be used: {error}"
    return "" if found is None or callable(found) else f"{name} is not callable."


def _is_sender(value: Any) -> bool:
    return isinstance(value, str) and "@" in value and value.isprintable()


def check_notice_schedule(**kwargs: Any) -> list[CheckMessage]:
    """Warn that beat has a schedule, and that nothing in it sends notices (W013)."""
    schedule = beat_schedule()
    if not (schedule and conf.OAUTH_ACCOUNTS_NOTICES) or other_scheduler():
        return []
    if entries_of(schedule, TASK):
        return []
    return [
        Warning(
            f"Celery beat has a schedule, and {TASK} is not in it: notices are not sent.",
            hint="Merge oauth_accounts.beat.BEAT_SCHEDULE into it. Where the task is "
            "scheduled elsewhere, or the command sends them, silence this check.",
            id="oauth_accounts.W013",
        )
    ]
