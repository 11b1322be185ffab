"""Moments as people say them: in 3 hours, 12 minutes ago."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince, timeuntil
from django.utils.timezone import localtime
from django.utils.translation import gettext

from oauth_accounts import clock

MINUTE = timedelta(minutes=1)


def relative(moment: datetime | None, now: datetime | None = None) -> SafeString | None:
    """
    Return how far away a moment is, with the exact time behind it; None for no moment.

    now: UTC; None for the time of this process.
    """
    if moment is None:
        return None
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(),
        exact(moment),
        distance(moment, now or clock.utcnow()),
    )


def exact(moment: datetime) -> str:
    """Return the moment in the zone of the page, the same in every language."""
    return f"{localtime(moment):%Y-%m-%d %H:%M:%S %Z}".strip()


def distance(moment: datetime, now: datetime) -> str:
    """Return how far away a moment is, to one unit."""
    if abs(moment - now) < MINUTE:
        return gettext("now")
    if moment > now:
        return gettext("in %(time)s") % {"time": timeuntil(moment, now, depth=1)}
    return gettext("%(time)s ago") % {"time": timesince(moment, now, depth=1)}
