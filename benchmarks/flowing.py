"""A process that connects accounts through the pages of one library, told by its parent."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from urllib.parse import parse_qs, urlsplit

import django

from benchmarks import children, cpu

START = {
    "ours": "/ours/connect/stub/",
    "allauth": "/allauth/stub/login/?process=connect",
    "social": "/social/login/stub/",
    "authlib": "/authlib/start/",
    "floor": "/floor/start/",
}


class Flows:
    """A logged-in user who connects one account after the other."""

    def __init__(self, peer: str) -> None:
        from django.test import Client  # noqa: PLC0415

        from benchmarks import database  # noqa: PLC0415

        self.peer = peer
        self.client = Client()
        self.client.force_login(database.make_user(f"{peer}-visitor"))
        self.number = 0

    def flow(self) -> None:
        """Press "connect", consent, come back."""
        self.number += 1
        away = self.client.post(START[self.peer])
        assert away.status_code == 302, away.content
        asked = parse_qs(urlsplit(away["Location"]).query)
        back = urlsplit(asked["redirect_uri"][0])
        answer = {"code": f"code-{self.peer}{self.number}", "state": asked["state"][0]}
        done = self.client.get(back.path, {**_query(back.query), **answer})
        assert done.status_code == 302, done.content
        assert "error" not in done["Location"], done["Location"]
        # The page that follows would show them; here they would only pile up.
        self.client.cookies.pop("messages", None)


def _query(text: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(text).items()}


class Counter:
    """Counts statements, those of transactions that are sent as statements included."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, execute: Callable[..., Any], *arguments: Any) -> Any:
        self.count += 1
        return execute(*arguments)


def run(count: int, *, counting: bool = False) -> dict[str, float]:
    """Connect so many accounts. counting: say how many queries that took, too."""
    from django.db import connection  # noqa: PLC0415

    counter = Counter()
    wrapper: AbstractContextManager[Any] = (
        connection.execute_wrapper(counter) if counting else nullcontext()
    )
    gc.collect()
    before = cpu.of_postgres()
    used, started = time.process_time(), time.perf_counter()
    with wrapper:
        for _ in range(count):
            FLOWS.flow()
    return {
        "cpu_ms": (time.process_time() - used) / count * 1000,
        "wall_ms": (time.perf_counter() - started) / count * 1000,
        "database_ms": (cpu.of_postgres() - before) / count * 1000,
        "queries": counter.count / count,
        "stored": stored(),
    }


def stored() -> int:
    """Return how many accounts the library's own table holds for this visitor."""
    from django.apps import apps  # noqa: PLC0415

    label, owner = {
        "ours": ("oauth_accounts.ConnectedAccount", "owner"),
        "allauth": ("socialaccount.SocialToken", "account__user"),
        "social": ("social_django.UserSocialAuth", "user"),
        "authlib": ("peers.HandWrittenToken", "user"),
        "floor": ("peers.HandWrittenToken", "user"),
    }[FLOWS.peer]
    name = {f"{owner}__username": f"{FLOWS.peer}-visitor"}
    return int(apps.get_model(label).objects.filter(**name).count())


if __name__ == "__main__":
    django.setup()
    FLOWS = Flows(os.environ["BENCH_PEER"])
    children.serve({"run": run})
