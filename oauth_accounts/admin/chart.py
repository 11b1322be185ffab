"""A day's refreshes as bars, drawn here: no script, no colour that says it alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from math import ceil, log10

from django.utils.formats import number_format
from django.utils.timezone import localtime
from django.utils.translation import gettext

from oauth_accounts.health.day import Day, Hour

WIDTH, HEIGHT = 720, 240
LEFT, RIGHT, TOP, BOTTOM = 96, 24, 16, 40
GAP = 6
# Lower bars would not be seen beside high ones.
LOWEST = 3
LABEL_EVERY = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One hour: what succeeded, and on top of it what failed. All in units of the picture."""

    label: str
    """When the hour begins."""
    tip: str
    succeeded: str
    failed: str
    x: int
    width: int
    good_y: int
    good_height: int
    bad_y: int
    bad_height: int
    is_labelled: bool

    @property
    def middle(self) -> int:
        return self.x + self.width // 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A line across, and the number that it stands for."""

    y: int
    label: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """The picture, ready to be written down."""

    bars: tuple[Bar, ...]
    lines: tuple[Line, ...]
    title: str
    description: str
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    label_y: int = HEIGHT - 12


def draw(day: Day) -> Chart | None:
    """Return the chart of a day; None when nothing happened in it."""
    highest = max(hour.succeeded + hour.failed for hour in day.hours)
    if not highest:
        return None
    top = _round_up(highest)
    return Chart(
        bars=tuple(
            _bar(number, hour, len(day.hours), top)
            for number, hour in enumerate(day.hours)
        ),
        lines=tuple(
            Line(y=_y(value, top), label=number_format(value, force_grouping=True))
            for value in sorted({0, top // 2, top})
        ),
        title=gettext("Refreshes by hour in the last 24 hours"),
        description=_description(day, highest),
    )


def _round_up(value: int) -> int:
    """Return the next number that is easy to read."""
    power: int = 10 ** max(0, ceil(log10(value)) - 1)
    steps = (1, 2, 3, 4, 5, 6, 8, 10)
    return next(step * power for step in steps if step * power >= value)


def _y(value: float, top: int) -> int:
    inner = HEIGHT - TOP - BOTTOM
    return round(TOP + inner * (1 - value / top))


def _bar(number: int, hour: Hour, hours: int, top: int) -> Bar:
    slot = (WIDTH - LEFT - RIGHT) / hours
    ground = _y(0, top)
    good = _height(hour.succeeded, top)
    bad = _height(hour.failed, top)
    words = {
        "hour": hour_label(hour.start),
        "succeeded": number_format(hour.succeeded, force_grouping=True),
        "failed": number_format(hour.failed, force_grouping=True),
    }
    tip = gettext("%(hour)s: %(succeeded)s refreshed, %(failed)s failed") % words
    return Bar(
        label=words["hour"],
        tip=tip,
        succeeded=words["succeeded"],
        failed=words["failed"],
        x=round(LEFT + slot * number + GAP / 2),
        width=round(slot - GAP),
        good_y=ground - good,
        good_height=good,
        bad_y=ground - good - bad,
        bad_height=bad,
        is_labelled=(hours - 1 - number) % LABEL_EVERY == 0,
    )


def _height(count: int, top: int) -> int:
    height = _y(0, top) - _y(count, top)
    return max(height, LOWEST) if count else 0


def hour_label(start: datetime) -> str:
    """Return when an hour begins, in the zone of the page."""
    return f"{localtime(start):%H:%M}"


def _description(day: Day, highest: int) -> str:
    busiest = next(h for h in day.hours if h.succeeded + h.failed == highest)
    return gettext(
        "%(succeeded)s refreshed and %(failed)s failed in all. The busiest hour began at "
        "%(hour)s, with %(count)s. The table below has each hour."
    ) % {
        "succeeded": number_format(day.succeeded, force_grouping=True),
        "failed": number_format(day.failed, force_grouping=True),
        "hour": hour_label(busiest.start),
        "count": number_format(highest, force_grouping=True),
    }
