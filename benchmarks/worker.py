"""The Celery app of the worker processes: this app's own tasks and those of peers."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

import django
from celery import Celery, shared_task
from celery.signals import worker_ready

from benchmarks import services

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.settings")
django.setup()

# Which refresh a message asks for: module and function, loaded where it is installed.
REFRESHES = {
    "floor": ("benchmarks.peers.refreshing", "refresh_hand_written"),
    "allauth": ("benchmarks.peers.allauth_refreshing", "refresh_social_token"),
}

app = Celery("benchmarks")
app.conf.update(
    broker_url=services.REDIS_URL,
    broker_transport_options={"global_keyprefix": f"{services.run_name()}_"},
    broker_connection_retry_on_startup=True,
    task_ignore_result=True,
    worker_hijack_root_logger=False,
    task_default_queue=os.environ.get("BENCH_QUEUE", "bench"),
    imports=["oauth_accounts.tasks"] if os.environ.get("BENCH_PEER") == "ours" else [],
)


@worker_ready.connect
def announce(**_: Any) -> None:
    """Tell the parent that messages are listened for."""
    print("worker ready", file=sys.stderr, flush=True)


@shared_task(name="bench.sweep")
def sweep_due(concurrency: int | None) -> None:
    """Do what `refresh_due_accounts` does, with a pool that fits the latency."""
    sweep = import_module("oauth_accounts.sweep")
    options = {} if concurrency is None else {"concurrency": concurrency}
    sweep.run(max_seconds=600, **options)


@shared_task(name="bench.refresh_one")
def refresh_one(peer: str, pk: int, latency_ms: int) -> None:
    """Refresh one account: the task that everybody writes first."""
    module, name = REFRESHES[peer]
    getattr(import_module(module), name)(pk, latency_ms)


@shared_task(name="bench.dispatch")
def dispatch(peer: str, latency_ms: int, first: int, count: int) -> None:
    """Send a message for each account that is due, as a beat task does."""
    for pk in range(first, first + count):
        refresh_one.apply_async((peer, pk, latency_ms))
