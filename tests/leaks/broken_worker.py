"""
The Celery app of a worker in which something is broken, and which tells all about it.

TEST_BREAK: what is broken. TEST_RESULTS: URL of a result backend.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import Any

from celery.signals import worker_init

from tests.celery_app import app
from tests.leaks.breaking import broken

__all__ = ["app"]

if "TEST_RESULTS" in os.environ:
    app.conf.update(
        result_backend=os.environ["TEST_RESULTS"],
        # Two runs at once do not see each other's results.
        result_backend_transport_options={
            "global_keyprefix": app.conf.task_default_queue
        },
        task_store_errors_even_if_ignored=True,
        task_send_sent_event=True,
        worker_send_task_events=True,
    )
stack = ExitStack()


@worker_init.connect
def break_something(**kwargs: Any) -> None:
    for target in filter(None, os.environ.get("TEST_BREAK", "").split(",")):
        stack.enter_context(broken(target))
