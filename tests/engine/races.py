"""Many threads at once, each with a connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connection


def race(work: Callable[[], Any], runners: int = 20) -> list[Any]:
    """Let so many threads do the same at the same time; return what each came to."""
    barrier = threading.Barrier(runners)

    def run() -> Any:
        # Connected before the start, so that the threads meet at the row.
        connection.ensure_connection()
        barrier.wait()
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(runners) as pool:
        return [
            future.result() for future in [pool.submit(run) for _ in range(runners)]
        ]
