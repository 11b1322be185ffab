"""A process that refreshes without Celery, told by its parent when and how many."""

from __future__ import annotations

import os
import time
from importlib import import_module
from typing import Any

import django

from benchmarks import children, cpu

REFRESHES = {
    "social": ("benchmarks.peers.social_refreshing", "refresh_social_auth"),
    "authlib": ("benchmarks.peers.authlib_refreshing", "refresh_with_authlib"),
}


def sweep(
    limit: int | None = None, concurrency: int | None = None, memory: bool = False
) -> dict[str, Any]:
    """Run the engine's own sweep; with memory, sample it as the sweep goes on."""
    engine = import_module("oauth_accounts.sweep")
    samples: list[int] = []

    def progress(done: int) -> None:
        if done % 200 == 0:
            samples.append(cpu.resident_bytes())

    options: dict[str, Any] = {"progress": progress} if memory else {}
    if concurrency is not None:
        options["concurrency"] = concurrency
    before, started, used = (
        cpu.resident_bytes(),
        time.perf_counter(),
        time.process_time(),
    )
    result = engine.run(limit=limit, **options)
    return {
        "refreshed": result.refreshed,
        "failed": result.failed,
        "skipped": result.skipped,
        "seconds": time.perf_counter() - started,
        "cpu": time.process_time() - used,
        "memory": [before, *samples, cpu.resident_bytes()],
    }


def loop(peer: str, latency_ms: int, first: int, count: int) -> dict[str, Any]:
    """Refresh one account after the other."""
    module, name = REFRESHES[peer]
    refresh = getattr(import_module(module), name)
    started, used = time.perf_counter(), time.process_time()
    for pk in range(first, first + count):
        refresh(pk, latency_ms)
    return {
        "refreshed": count,
        "seconds": time.perf_counter() - started,
        "cpu": time.process_time() - used,
    }


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.settings")
    django.setup()
    children.serve({"sweep": sweep, "loop": loop})
