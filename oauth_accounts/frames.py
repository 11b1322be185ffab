"""
Exceptions that leave behind the frames they came through.

Error trackers print the local variables of every frame of a traceback. Where plaintext has to
be a local variable (a form to send, an answer to read), any exception would carry it along,
also one that is raised there by a signal, as the time limit of a task is.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def without_frames(function: Callable[P, T]) -> Callable[P, T]:
    """Make what a function raises carry no frame from within it, only a note where it was."""

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001  # and raised again
            where = _innermost(error)
            forget_frames(error)
            error.add_note(where)
            raise error.with_traceback(None)  # noqa: B904  # it is the same

    return wrapper


def forget_frames(error: BaseException) -> None:
    """Drop the tracebacks of an exception and of those it wraps, and where it came from."""
    error.__traceback__ = error.__cause__ = error.__context__ = None
    # requests wraps urllib3's errors, and those wrap the socket's.
    for inner in (*error.args, getattr(error, "reason", None)):
        if isinstance(inner, BaseException):
            forget_frames(inner)


def _innermost(error: BaseException) -> str:
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    return f"Raised in {frame.f_code.co_filename}, line {line}."
