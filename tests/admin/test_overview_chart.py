"""The chart: whose heights are what was counted, and which can be read without seeing it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.utils import translation

from oauth_accounts import clock
from oauth_accounts.admin import chart
from oauth_accounts.health import day
from oauth_accounts.health.day import Day, Hour
from oauth_accounts.models import Provider, RefreshStatistic
from tests.admin.desk import Desk

START = datetime(2026, 1, 1, tzinfo=UTC)


def day_of(*counts: tuple[int, int]) -> Day:
    padded = [(0, 0)] * (day.HOURS - len(counts)) + list(counts)
    hours = tuple(
        Hour(start=START + timedelta(hours=number), succeeded=good, failed=bad)
        for number, (good, bad) in enumerate(padded)
    )
    return Day(hours=hours, failures=day.Counter())


def drawn(*counts: tuple[int, int]) -> chart.Chart:
    found = chart.draw(day_of(*counts))
    assert found is not None
    return found


class TestDay:
    def test_it_has_the_last_24_hours(self, provider: Provider) -> None:
        now = clock.utcnow()
        this = now.replace(minute=0, second=0, microsecond=0)
        for back, result, reason, count in (
            (0, "success", "", 5),
            (0, "failure", "bad_answer", 2),
            (23, "rate_limited", "rate_limited", 3),
            (24, "success", "", 100),
        ):
            RefreshStatistic.objects.create(
                provider=provider,
                hour=this - timedelta(hours=back),
                result=result,
                reason=reason,
                count=count,
            )

        found = day.read([provider.pk], now)

        assert len(found.hours) == 24
        assert found.hours[-1] == Hour(start=this, succeeded=5, failed=2)
        assert found.hours[0].failed == 3
        assert (found.succeeded, found.failed) == (5, 5)
        assert found.failures == {
            (provider.pk, "bad_answer"): 2,
            (provider.pk, "rate_limited"): 3,
        }


@pytest.mark.faces
class TestBars:
    def test_nothing_happened(self) -> None:
        assert chart.draw(day_of()) is None

    def test_heights_are_in_proportion(self) -> None:
        one, two = drawn((50, 0), (100, 0)).bars[-2:]

        assert two.good_height == pytest.approx(2 * one.good_height, abs=1)
        assert one.good_y + one.good_height == two.good_y + two.good_height

    def test_failures_stand_on_what_succeeded(self) -> None:
        bar = drawn((60, 40)).bars[-1]

        assert bar.bad_y + bar.bad_height == bar.good_y
        assert bar.bad_height == pytest.approx(bar.good_height * 2 / 3, abs=1)

    def test_one_failure_of_many_is_seen(self) -> None:
        assert drawn((100_000, 1)).bars[-1].bad_height == chart.LOWEST

    def test_bars_stay_in_the_picture_and_apart(self) -> None:
        bars = drawn(*[(9, 1)] * 24).bars

        assert bars[0].x >= chart.LEFT
        assert bars[-1].x + bars[-1].width <= chart.WIDTH - chart.RIGHT
        assert all(a.x + a.width < b.x for a, b in pairwise(bars))

    @pytest.mark.parametrize(
        ("value", "top"), [(1, 1), (3, 3), (9, 10), (11, 20), (87, 100), (4_321, 5_000)]
    )
    def test_the_scale_ends_at_a_number_that_is_easy_to_read(
        self, value: int, top: int
    ) -> None:
        assert chart._round_up(value) == top


@pytest.mark.faces
class TestPicture:
    @pytest.fixture(autouse=True)
    def counted(self, provider: Provider) -> None:
        provider.refresh_statistics.record("success", count=1_200)
        provider.refresh_statistics.record("failure", "bad_answer", count=30)

    def test_it_has_a_title_a_description_and_a_table(self, admin: Desk) -> None:
        page = admin.page("health")

        picture = page.select_one("svg.oauth-accounts-chart")
        names = picture["aria-labelledby"].split()
        title, description = (page.find(id=name).get_text() for name in names)
        assert title == "Refreshes by hour in the last 24 hours"
        assert "1,200 refreshed and 30 failed in all." in description
        rows = page.select("details tbody tr")
        assert len(rows) == 24
        assert [cell.get_text() for cell in rows[-1].find_all("td")] == ["1,200", "30"]

    def test_failures_have_a_pattern_besides_a_colour(self, admin: Desk) -> None:
        page = admin.page("health")

        [bar] = page.select("g rect.oauth-accounts-chart-bad")
        assert bar["fill"] == "url(#oauth-accounts-hatch)"
        assert page.find("pattern", id="oauth-accounts-hatch")

    def test_nothing_on_the_page_needs_an_inline_style_or_script(
        self, admin: Desk
    ) -> None:
        content = admin.page("health").find(id="content")

        assert not content.find_all(style=True)
        assert not content.find_all(["style", "script"])

    def test_coordinates_are_numbers_in_every_language(
        self, admin: Desk, settings: Any
    ) -> None:
        settings.USE_THOUSAND_SEPARATOR = True
        with translation.override("de"):
            admin.client.cookies["django_language"] = "de"
            page = admin.page("health")

        for shape in page.select("svg rect, svg line, svg text"):
            for name in ("x", "y", "width", "height", "x1", "y1"):
                assert shape.get(name, "0").lstrip("-").isdigit()
