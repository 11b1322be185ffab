"""
The Celery app of the run's workers and beats.

CHAOS_SENDS_TO: queue that messages are sent to. CHAOS_EVERY: seconds between the sweeps that
this beat asks for. CHAOS_CLOCK: seconds by which the clock is off.
"""

from __future__ import annotations

import os

import django
from celery import Celery

from benchmarks import services
from benchmarks.chaos import clocks
from benchmarks.chaos.queues import EXPIRES, QUEUE, SWEEP

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.settings")
django.setup()
if SHIFT := float(os.environ.get("CHAOS_CLOCK", "0")):
    clocks.shift(SHIFT)

app = Celery("benchmarks.chaos")
app.conf.update(
    broker_url=services.REDIS_URL,
    broker_transport_options={"global_keyprefix": f"{services.run_name()}_"},
    broker_connection_retry_on_startup=True,
    task_ignore_result=True,
    worker_hijack_root_logger=False,
    task_default_queue=os.environ.get("CHAOS_SENDS_TO", QUEUE),
    imports=["oauth_accounts.tasks"],
    beat_schedule={
        "sweep": {
            "task": SWEEP,
            "schedule": float(os.environ.get("CHAOS_EVERY", "60")),
            "options": {"expires": EXPIRES},
        }
    },
)


def backlog(queue: str = QUEUE) -> int:
    """Return how many messages wait in a queue."""
    with app.connection_for_read() as connection:
        count: int = connection.default_channel.client.llen(queue)
    return count
