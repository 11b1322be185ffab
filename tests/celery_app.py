"""The Celery app of worker processes that tests start."""

from __future__ import annotations

import os

from celery import Celery

from oauth_accounts.beat import BEAT_SCHEDULE
from tests.brokers import configure

app = configure(Celery("tests"), os.environ["TEST_BROKER_URL"])
app.conf.beat_schedule = {
    name: {**entry, "schedule": 1.0} for name, entry in BEAT_SCHEDULE.items()
}
app.config_from_object({"imports": ["oauth_accounts.tasks"]})
