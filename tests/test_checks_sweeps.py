"""Does beat send the sweep often enough: W004, W005, W006."""

from __future__ import annotations

from datetime import timedelta

import pytest
from celery.schedules import crontab, schedule
from django.core.checks import run_checks
from django.core.management import call_command

from oauth_accounts import checks
from oauth_accounts.beat import BEAT_SCHEDULE
from oauth_accounts.checks.sweeps import TASK
from oauth_accounts.models import Provider
from oauth_accounts.testing.factories import ProviderFactory

OTHERS = {"mail": {"task": "shop.tasks.mail", "schedule": 3600.0}}


def sweep(every, **options):
    return {**OTHERS, "sweep": {"task": TASK, "schedule": every, **options}}


def ids(messages):
    return [m.id.removeprefix("oauth_accounts.") for m in messages]


@pytest.fixture(autouse=True)
def margin(settings):
    settings.OAUTH_ACCOUNTS_REFRESH_MARGIN = 300


class TestInterval:
    @pytest.mark.parametrize(
        ("every", "seconds"),
        [
            (301, 301),
            (600.0, 600),
            (timedelta(minutes=6), 360),
            (schedule(timedelta(minutes=7)), 420),
            (schedule(480), 480),
            (crontab(minute="*/10"), 600),
            (crontab(minute="0,4,8,50"), 42 * 60),
            (crontab(minute="0-55/5", hour="8-17"), 14 * 3600 + 300),
            (crontab(minute=30, hour=3), 86_400),
            (crontab(minute="*", day_of_week="mon-fri"), 86_400),
            (crontab(minute="*", day_of_month="2-31"), 86_400),
            (crontab(minute="*", month_of_year="*/2"), 86_400),
        ],
    )
    def test_w004_longer_than_the_margin(self, settings, every, seconds):
        settings.CELERY_BEAT_SCHEDULE = sweep(every)

        [message] = checks.check_beat_schedule()

        assert message.id == "oauth_accounts.W004"
        assert f"every {seconds} seconds" in message.msg
        assert "OAUTH_ACCOUNTS_REFRESH_MARGIN (300)" in message.msg
        assert "BEAT_SCHEDULE" in message.hint

    @pytest.mark.parametrize(
        "every",
        [
            300,
            60.0,
            timedelta(seconds=299),
            schedule(300),
            crontab(),
            crontab(minute="*/5"),
            crontab(minute="*/5", day_of_week="*"),
        ],
    )
    def test_short_enough(self, settings, every):
        settings.CELERY_BEAT_SCHEDULE = sweep(every)

        assert checks.check_beat_schedule() == []

    @pytest.mark.parametrize("every", [object(), None, "hourly", schedule(None)])
    def test_what_cannot_be_judged_is_not(self, settings, every):
        settings.CELERY_BEAT_SCHEDULE = sweep(every)

        assert checks.check_beat_schedule() == []

    def test_the_quickest_of_several_counts(self, settings):
        nightly = {"task": TASK, "schedule": crontab(minute=0, hour=3)}
        settings.CELERY_BEAT_SCHEDULE = {**sweep(60), "nightly": nightly}

        assert checks.check_beat_schedule() == []

    @pytest.mark.parametrize("value", ["soon", None, float("inf")])
    def test_a_margin_that_is_no_number_is_another_checks_business(
        self, settings, value
    ):
        settings.OAUTH_ACCOUNTS_REFRESH_MARGIN = value
        settings.CELERY_BEAT_SCHEDULE = sweep(9999)

        assert checks.check_beat_schedule() == []


class TestWhereItIsKept:
    def test_without_a_namespace(self, settings):
        settings.CELERYBEAT_SCHEDULE = sweep(900)

        assert ids(checks.check_beat_schedule()) == ["W004"]

    def test_in_a_dict(self, settings):
        settings.CELERY = {"beat_schedule": sweep(900)}

        assert ids(checks.check_beat_schedule()) == ["W004"]

    @pytest.mark.parametrize("value", [None, {}, [], "x", {"broker_url": "memory://"}])
    def test_no_schedule(self, settings, value):
        settings.CELERY = value
        settings.CELERY_BEAT_SCHEDULE = value if isinstance(value, list) else None

        assert checks.check_beat_schedule() == []

    def test_ours(self, settings):
        settings.CELERY_BEAT_SCHEDULE = {**OTHERS, **BEAT_SCHEDULE}

        assert checks.check_beat_schedule() == []


class TestNotices:
    @pytest.fixture(autouse=True)
    def on(self, settings):
        settings.OAUTH_ACCOUNTS_NOTICES = ["connected"]

    def test_w013(self, settings):
        settings.CELERY_BEAT_SCHEDULE = sweep(60)

        [message] = checks.check_notice_schedule()

        assert message.id == "oauth_accounts.W013"
        assert "oauth_accounts.beat.BEAT_SCHEDULE" in message.hint
        settings.OAUTH_ACCOUNTS_NOTICES = []
        assert checks.check_notice_schedule() == []

    @pytest.mark.parametrize("schedule", [{**OTHERS, **BEAT_SCHEDULE}, {}, None])
    def test_ours_and_none(self, settings, schedule):
        settings.CELERY_BEAT_SCHEDULE = schedule

        assert checks.check_notice_schedule() == []

    def test_another_scheduler_keeps_its_own(self, settings):
        settings.CELERY_BEAT_SCHEDULE = OTHERS
        settings.CELERY_BEAT_SCHEDULER = (
            "django_celery_beat.schedulers:DatabaseScheduler"
        )

        assert checks.check_notice_schedule() == []


class TestMissing:
    @pytest.mark.parametrize("schedule", [OTHERS, {"broken": "entry"}])
    def test_w005(self, settings, schedule):
        settings.CELERY_BEAT_SCHEDULE = schedule

        [message] = checks.check_beat_schedule()

        assert message.id == "oauth_accounts.W005"
        assert "oauth_accounts.beat.BEAT_SCHEDULE" in message.hint

    @pytest.mark.parametrize("name", ["CELERY_BEAT_SCHEDULER", "CELERYBEAT_SCHEDULER"])
    def test_another_scheduler_keeps_its_own(self, settings, name):
        settings.CELERY_BEAT_SCHEDULE = OTHERS
        setattr(settings, name, "django_celery_beat.schedulers:DatabaseScheduler")

        assert checks.check_beat_schedule() == []

    def test_another_scheduler_in_the_dict(self, settings):
        scheduler = {"beat_scheduler": "redbeat.RedBeatScheduler"}
        settings.CELERY = {"beat_schedule": OTHERS, **scheduler}

        assert checks.check_beat_schedule() == []

    def test_celerys_own_scheduler_by_name(self, settings):
        settings.CELERY_BEAT_SCHEDULE = OTHERS
        settings.CELERY_BEAT_SCHEDULER = "celery.beat:PersistentScheduler"

        assert ids(checks.check_beat_schedule()) == ["W005"]


class TestExpires:
    @pytest.mark.parametrize("every", [60, crontab()])
    def test_w006_before_the_next_is_sent(self, settings, every):
        settings.CELERY_BEAT_SCHEDULE = sweep(every, options={"expires": 20})

        [message] = checks.check_beat_schedule()

        assert message.id == "oauth_accounts.W006"
        assert "after 20 seconds" in message.msg
        assert message.hint

    @pytest.mark.parametrize(
        "options", [{"expires": 60}, {"expires": 3600.0}, {"expires": None}, {}, None]
    )
    def test_long_enough(self, settings, options):
        settings.CELERY_BEAT_SCHEDULE = sweep(60, options=options)

        assert checks.check_beat_schedule() == []

    def test_both_at_once(self, settings):
        settings.CELERY_BEAT_SCHEDULE = sweep(900, options={"expires": 60})

        assert sorted(ids(checks.check_beat_schedule())) == ["W004", "W006"]

    def test_an_interval_that_is_not_known(self, settings):
        settings.CELERY_BEAT_SCHEDULE = sweep(None, options={"expires": 1})

        assert checks.check_beat_schedule() == []


class TestProviders:
    @pytest.fixture
    def providers(self, db):
        ProviderFactory(slug="short", refresh_margin=30)
        ProviderFactory(slug="long", refresh_margin=60)
        ProviderFactory(slug="usual", refresh_margin=None)
        ProviderFactory(slug="off", refresh_margin=30, enabled=False)

    def test_w004_a_margin_of_its_own(self, providers, settings):
        settings.CELERY_BEAT_SCHEDULE = BEAT_SCHEDULE

        [message] = checks.check_provider_margins(databases=["default"])

        assert message.id == "oauth_accounts.W004"
        assert "provider 'short' (30)" in message.msg

    def test_only_where_databases_are_checked(self, providers, settings):
        settings.CELERY_BEAT_SCHEDULE = BEAT_SCHEDULE

        assert checks.check_provider_margins() == []
        assert "W004" not in ids(m for m in run_checks() if m.id[:5] == "oauth")

    def test_without_beat(self, providers, django_assert_num_queries):
        with django_assert_num_queries(0):
            assert checks.check_provider_margins(databases=["default"]) == []

    def test_a_database_without_the_table(self, providers, settings, monkeypatch):
        settings.CELERY_BEAT_SCHEDULE = BEAT_SCHEDULE
        monkeypatch.setattr(Provider._meta, "db_table", "not_migrated")

        assert checks.check_provider_margins(databases=["default"]) == []

    def test_the_command_reports_it(self, providers, settings, capsys):
        settings.CELERY_BEAT_SCHEDULE = sweep(600)

        call_command("check", "oauth_accounts", databases=["default"])

        said = capsys.readouterr().err
        assert "provider 'short' (30)" in said
        assert "OAUTH_ACCOUNTS_REFRESH_MARGIN (300)" in said
