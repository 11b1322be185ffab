"""The Celery app of worker processes that tests start."""

from __future__ import annotations

import os
import sys

from celery import Celery
from celery.signals import worker_init

from oauth_accounts.beat import BEAT_SCHEDULE
from tests.brokers import configure

app = configure(Celery("tests"), os.environ["TEST_BROKER_URL"])
app.conf.beat_schedule = {
    name: {**entry, "schedule": 1.0} for name, entry in BEAT_SCHEDULE.items()
}
app.config_from_object({"imports": ["oauth_accounts.tasks"]})


@worker_init.connect
def make_tasks_small(**kwargs) -> None:
    """Let a few accounts be many, in a test that says so."""
    if "TEST_TASK_ACCOUNTS" in os.environ:
        tasks = sys.modules["oauth_accounts.tasks"]
        tasks.TASK_ACCOUNTS = int(os.environ["TEST_TASK_ACCOUNTS"])
