"""Connecting an account: CPU and queries, beside other libraries and a hand-written floor."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from benchmarks import database, rows
from benchmarks.bench import Bench
from benchmarks.children import Child
from benchmarks.peers.models import HandWrittenToken
from oauth_accounts.models import ConnectedAccount, Provider

PEERS = ("ours", "floor", "authlib", "social", "allauth")
WARM_UP = 10


def run(bench: Bench) -> None:
    database.empty(ConnectedAccount, Provider, HandWrittenToken)
    rows.make_provider(bench.stub.url)
    rounds, count = (3, 40) if bench.quick else (7, 150)
    bench.begin("connect and callback", len(PEERS) * (rounds + 1))
    children = {peer: _start(bench, peer) for peer in PEERS}
    for peer, child in children.items():
        child.ask(["run", {"count": WARM_UP}])
        answer = child.ask(["run", {"count": WARM_UP, "counting": True}])
        bench.add(f"flows/{peer}/queries", [answer["queries"]], "queries")
        bench.step(peer)
    results: dict[str, list[Any]] = defaultdict(list)
    for _ in range(rounds):
        for peer, child in children.items():
            results[peer].append(child.ask(["run", {"count": count}]))
            bench.step(f"{peer}: {results[peer][-1]['cpu_ms']:.1f} ms")
    for peer, answers in results.items():
        if answers[-1]["stored"] != 2 * WARM_UP + rounds * count:
            raise AssertionError(f"{peer} stored {answers[-1]['stored']} accounts")
        bench.add(f"flows/{peer}/cpu", [a["cpu_ms"] for a in answers], "ms")
        bench.add(f"flows/{peer}/database", [a["database_ms"] for a in answers], "ms")
        children[peer].stop()


def _start(bench: Bench, peer: str) -> Child:
    child: Child = bench.child(Child("-m", "benchmarks.flowing", BENCH_PEER=peer))
    child.read_line()
    return child
