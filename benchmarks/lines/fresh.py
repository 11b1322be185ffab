"""A valid token for a call, against one plain query."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from social_django.models import UserSocialAuth
from social_django.utils import load_strategy

from benchmarks import database, rows
from benchmarks.bench import Bench
from benchmarks.flowing import Counter
from benchmarks.peers import stocking
from benchmarks.peers.models import HandWrittenToken
from benchmarks.stub import PADDING, first_refresh_token
from oauth_accounts.models import ConnectedAccount, Provider


def run(bench: Bench) -> None:
    database.empty(ConnectedAccount, Provider, HandWrittenToken)
    provider = rows.make_provider(bench.stub.url)
    rows.add_accounts(provider, 100)
    ways = _ways(provider)
    rounds, count = (5, 100) if bench.quick else (15, 400)
    bench.begin("a fresh token", rounds)
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            times[name].append(_milliseconds(way, count))
        bench.step()
    for name, values in times.items():
        bench.add(f"fresh/{name}", values, "ms")
    # Each round's own ratio, because the machine's speed moves between rounds.
    plain = times["plain get"]
    for name in ("get and token", "get and token, social"):
        ratios = [a / b for a, b in zip(times[name], plain, strict=True)]
        bench.add(f"fresh/{name}/ratio", ratios, "x")
    bench.add("fresh/loaded/queries", [_queries(ways["token, loaded"])], "queries")


def _ways(provider: Provider) -> dict[str, Callable[[], Any]]:
    account = ConnectedAccount.objects.get(uid="template")
    key, other = account.pk, _peer_rows()
    return {
        "plain get": lambda: ConnectedAccount.objects.get(pk=key),
        "get and token": lambda: ConnectedAccount.objects.get(
            pk=key
        ).get_access_token(),
        "token, loaded": account.get_access_token,
        "plain get, small table with eager decryption": (
            lambda: HandWrittenToken.objects.get(pk=other["hand_written"])
        ),
        "get and token, social": lambda: UserSocialAuth.objects.get(
            pk=other["social"]
        ).get_access_token(load_strategy()),
    }


def _peer_rows() -> dict[str, int]:
    tokens, access = [first_refresh_token("fresh")], f"a.fresh.{PADDING}"
    expires = datetime.now(UTC) + timedelta(hours=1)
    user = database.make_user("fresh-owner")
    makers = {"hand_written": stocking.hand_written, "social": stocking.social}
    return {name: make(user, tokens, access, expires) for name, make in makers.items()}


def _milliseconds(way: Callable[[], Any], count: int) -> float:
    started = time.perf_counter()
    for _ in range(count):
        way()
    return (time.perf_counter() - started) / count * 1000


def _queries(way: Callable[[], Any]) -> int:
    counter = Counter()
    with connection.execute_wrapper(counter):
        way()
    return counter.count
