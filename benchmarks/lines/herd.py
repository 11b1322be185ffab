"""A hundred callers and one expired token."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from benchmarks import database, rows
from benchmarks.bench import Bench
from benchmarks.children import Child
from oauth_accounts import clock
from oauth_accounts.models import ConnectedAccount, Provider

CALLERS = 100
LATENCY_MS = 200
# PostgreSQL takes 100 clients unless it is told otherwise; a site of threads has a pool.
POOLED = 60
# Time to start every thread before the first one asks (seconds).
HEAD_START = 0.5


def run(bench: Bench) -> None:
    database.empty(ConnectedAccount, Provider)
    provider = rows.make_provider(bench.stub.url)
    rows.add_accounts(provider, 10)
    rows.point(provider, bench.stub.url, LATENCY_MS)
    keys = rows.keys_of(provider, 1)
    rows.seal_tokens(provider, keys)
    rounds = 2 if bench.quick else 7
    bench.begin("a herd of callers", 3 * rounds)
    for processes, callers in ((1, 1), (1, CALLERS), (4, CALLERS)):
        children = [_caller(bench, POOLED // processes) for _ in range(processes)]
        share = callers // processes
        answers = []
        for _ in range(rounds):
            answers.append(_round(bench, children, keys[0], share))
            bench.step(f"{callers} callers in {processes} processes")
        name = f"herd/{callers} callers in {processes}"
        # Not the median: a second request in one round is a second request.
        bench.add(f"{name}/requests", [max(a["requests"] for a in answers)], "")
        bench.add(f"{name}/slowest", [a["slowest"] for a in answers], "ms")
        for child in children:
            child.stop()


def _caller(bench: Bench, pool: int) -> Child:
    child: Child = bench.child(
        Child("-m", "benchmarks.herding", BENCH_PEER="ours", BENCH_POOL=str(pool))
    )
    child.read_line()
    return child


def _round(bench: Bench, children: list[Child], key: Any, share: int) -> Any:
    now = clock.utcnow()
    ConnectedAccount.objects.filter(pk=key).update(
        issued_at=now - timedelta(hours=2), expires_at=now - timedelta(hours=1)
    )
    for child in children:
        child.ask(["load", {"key": str(key), "callers": share}])
    before = bench.stub.stats()["token_requests"]
    at = time.time() + HEAD_START
    for child in children:
        child.start(["ask", {"at": at}])
    answers = [child.finish() for child in children]
    if sum(answer["tokens"] for answer in answers) != share * len(children):
        raise AssertionError("not every caller got a token")
    return {
        "requests": bench.stub.stats()["token_requests"] - before,
        "slowest": 1000 * max(max(answer["waits"]) for answer in answers),
    }
