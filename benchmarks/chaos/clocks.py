"""
A clock that is wrong, for one process and its children.

Everything that Django, Celery and the engine ask for the time of day is shifted; intervals
are not. Not with libfaketime: under it, waiting for a lock with a timeout never ends.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta, tzinfo
from importlib import import_module
from typing import Any

# Where the time of day is read; some are loaded late.
READERS = (
    "celery.app.base",
    "celery.beat",
    "celery.schedules",
    "celery.utils.time",
    "celery.worker.request",
    "django.utils.timezone",
    "kombu.asynchronous.timer",
)


def shift(seconds: float) -> None:
    """Let the clock of this process be off. seconds: how far, below zero for slow."""
    right = time.time
    time.time = lambda: right() + seconds
    by = timedelta(seconds=seconds)
    for name in READERS:
        module: Any = import_module(name)
        if getattr(module, "datetime", None) is datetime:
            module.datetime = _wrong_datetime(by)
        if getattr(module, "time", None) is right:
            module.time = time.time


class _AnyDatetime(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, datetime)


def _wrong_datetime(by: timedelta) -> type:
    class WrongDatetime(datetime, metaclass=_AnyDatetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.now(tz) + by

        @classmethod
        def utcnow(cls) -> Any:
            return datetime.utcnow() + by  # noqa: DTZ003

    return WrongDatetime
