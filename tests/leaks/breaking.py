"""Errors where nobody expects one: some function deep down raises instead of working."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn
from unittest import mock

from django.http import HttpRequest, HttpResponse


class Boom(RuntimeError):
    """An error that no code knows."""


@contextmanager
def broken(target: str) -> Iterator[None]:
    """Let a function raise. target: where it is found, as for `mock.patch`."""
    owner, _, name = target.rpartition(".")

    def fail(*args: Any, **kwargs: Any) -> NoReturn:
        # The frames above are what a test looks at, not this one.
        del args, kwargs
        raise Boom(name)

    with mock.patch.object(pkgutil.resolve_name(owner), name, fail):
        yield


def break_on_demand(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware that breaks what the request's header X-Break names."""

    def middleware(request: HttpRequest) -> HttpResponse:
        target = request.headers.get("X-Break")
        if target is None:
            return get_response(request)
        with broken(target):
            return get_response(request)

    return middleware
