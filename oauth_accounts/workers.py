"""
Tell the workers that there is work, without loading Celery to find out if there are any.

A process that can reach them has imported Celery already, where the project makes its app.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import Any

_silent: ContextVar[bool] = ContextVar("oauth_accounts_silent", default=False)


@contextmanager
def silence() -> Iterator[None]:
    """Send nothing meanwhile: one message for each of many accounts helps nobody."""
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)


def tell(name: str) -> bool:
    """
    Send one of the tasks that take no arguments; return whether the broker took it.

    name: of the function in `tasks`.
    """
    if _silent.get() or "celery" not in sys.modules:
        return False
    tasks = import_module("oauth_accounts.tasks")
    return bool(tasks.enqueue(getattr(tasks, name)))


def deliver_revocations(sender: Any, **kwargs: Any) -> None:
    """Have revoked what an account left in the outbox, soon after it was stopped here."""
    tell("deliver_revocations")
