"""How long ago, in the largest unit; boundaries belong to the larger one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from oauth_accounts import clock
from oauth_accounts.ages import describe_age

HOUR, DAY = 3600, 86_400


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-300, "just now"),
        (0, "just now"),
        (59, "just now"),
        (60, "1 minute ago"),
        (HOUR - 1, "59 minutes ago"),
        (HOUR, "1 hour ago"),
        (DAY - 1, "23 hours ago"),
        (DAY, "1 day ago"),
        (30 * DAY - 1, "29 days ago"),
        (30 * DAY, "1 month ago"),
        (365 * DAY - 1, "12 months ago"),
        (365 * DAY, "1 year ago"),
        (800 * DAY, "2 years ago"),
    ],
)
def test_the_largest_unit(seconds, words):
    now = clock.utcnow()
    assert describe_age(now - timedelta(seconds=seconds), now) == words


def test_from_now_on_when_nothing_else_is_said():
    assert describe_age(clock.utcnow() - timedelta(hours=2, minutes=1)) == "2 hours ago"
