"""How long ago something was, the way people say it."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from oauth_accounts import clock

MINUTE, HOUR, DAY = 60, 3600, 86_400
MONTH, YEAR = 30 * DAY, 365 * DAY


def describe_age(moment: datetime, now: datetime | None = None) -> str:
    """
    Return how long ago a moment was, in its largest unit.

    now: UTC, by another clock than this process's. Whole sentences for each unit: what
    "ago" does to the word beside it differs between languages.
    """
    seconds = int(((now or clock.utcnow()) - moment).total_seconds())
    if seconds < MINUTE:
        # Also what is to come: two clocks differ by a little.
        return _("just now")
    if seconds < HOUR:
        number = seconds // MINUTE
        text = ngettext("%(number)d minute ago", "%(number)d minutes ago", number)
    elif seconds < DAY:
        number = seconds // HOUR
        text = ngettext("%(number)d hour ago", "%(number)d hours ago", number)
    elif seconds < MONTH:
        number = seconds // DAY
        text = ngettext("%(number)d day ago", "%(number)d days ago", number)
    elif seconds < YEAR:
        number = seconds // MONTH
        text = ngettext("%(number)d month ago", "%(number)d months ago", number)
    else:
        number = seconds // YEAR
        text = ngettext("%(number)d year ago", "%(number)d years ago", number)
    return text % {"number": number}
