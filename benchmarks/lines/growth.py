"""From ten thousand accounts to a million: claims, sweeps, memory and the admin's pages."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from django.db import connection
from django.test import Client

from benchmarks import database, engine, rows
from benchmarks.bench import Bench
from benchmarks.children import Child
from benchmarks.flowing import Counter
from oauth_accounts import clock
from oauth_accounts.models import ConnectedAccount, Provider, RefreshStatistic

SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
CLAIMED = 500
# Big enough to see a leak, small enough to wait for.
SWEPT_FOR_MEMORY = 5_000
ADMIN_PAGES = {
    "admin list": "/admin/oauth_accounts/connectedaccount/",
    "admin overview": "/admin/oauth_accounts/health/",
}
# Accounts that need their owners, for the overview.
STOPPED = 2_000
MEGABYTE = 1024 * 1024


def run(bench: Bench) -> None:
    database.empty(ConnectedAccount, Provider)
    provider = rows.make_provider(bench.stub.url)
    sizes = SIZES[:3] if bench.quick else SIZES
    bench.begin("growth", 3 * len(sizes) + 2)
    child = _sweeper(bench)
    have = 0
    for size in sizes:
        _grow(provider, have, size)
        have = size
        bench.step(f"{size:,} accounts")
        _claims(bench, provider, size)
        bench.step("claimed")
        _sweeps(bench, provider, child, size)
        bench.step("swept")
    _memory(bench, provider, child, have)
    bench.step("memory")
    _admin(bench, have)
    bench.step("admin")
    child.stop()


def _sweeper(bench: Bench) -> Child:
    child: Child = bench.child(Child("-m", "benchmarks.loops", BENCH_PEER="ours"))
    child.read_line()
    return child


def _grow(provider: Provider, have: int, size: int) -> None:
    if have:
        rows.copy_accounts(have, size - have)
    else:
        rows.add_accounts(provider, size)
    rows.tidy()


def _claims(bench: Bench, provider: Provider, size: int) -> None:
    repeats = 5 if bench.quick else 20
    rows.make_due(provider, None)
    none = [_milliseconds(provider) for _ in range(repeats)]
    rows.make_due(provider, 4 * CLAIMED)
    rows.tidy()
    _milliseconds(provider)
    some = []
    for _ in range(repeats):
        engine.give_back(provider)
        some.append(_milliseconds(provider, expected=CLAIMED))
    engine.give_back(provider)
    bench.add(f"claim/due/{size}", some, "ms")
    bench.add(f"claim/nothing due/{size}", none, "ms")


def _milliseconds(provider: Provider, expected: int | None = None) -> float:
    started = time.perf_counter()
    claimed = engine.claim(provider, CLAIMED)
    seconds = time.perf_counter() - started
    if expected is not None and len(claimed) != expected:
        raise AssertionError(f"claimed {len(claimed)} of {expected}")
    return seconds * 1000


def _sweeps(bench: Bench, provider: Provider, child: Child, size: int) -> None:
    seconds = []
    rows.seal_tokens(provider, rows.keys_of(provider, CLAIMED), start=size)
    for _ in range(2 if bench.quick else 5):
        rows.make_due(provider, CLAIMED)
        answer = child.ask(["sweep", {"concurrency": 16}])
        if answer["refreshed"] != CLAIMED:
            raise AssertionError(f"swept {answer['refreshed']} of {CLAIMED}")
        seconds.append(answer["seconds"])
    bench.add(f"growth/sweep/{size}", [CLAIMED / s for s in seconds], "/s")


def _memory(bench: Bench, provider: Provider, child: Child, size: int) -> None:
    """Sweep a share of a table whose every row is due."""
    count = 1_000 if bench.quick else SWEPT_FOR_MEMORY
    keys = rows.keys_of(provider, count)
    rows.seal_tokens(provider, keys, start=10 * SIZES[-1])
    rows.make_all_due(keys)
    child.stop()
    fresh = _sweeper(bench)
    samples = fresh.ask(["sweep", {"concurrency": 16, "limit": count, "memory": True}])
    fresh.stop()
    memory = [value / MEGABYTE for value in samples["memory"]]
    bench.add("memory/above start", [max(memory) - memory[0]], "MB")
    half = memory[len(memory) // 2 :]
    bench.add("memory/growth in the second half", [half[-1] - half[0]], "MB")
    bench.add("memory/accounts", [size], "")


def _admin(bench: Bench, size: int) -> None:
    user = database.make_user("growth-admin")
    user.is_staff = user.is_superuser = True
    user.save()
    client = Client()
    client.force_login(user)
    _tell_a_day()
    for name, address in ADMIN_PAGES.items():
        counter = Counter()
        with connection.execute_wrapper(counter):
            _page(client, address)
        times = [_page(client, address) for _ in range(3 if bench.quick else 9)]
        bench.add(f"{name}/queries", [counter.count], "queries")
        bench.add(f"{name}/time", times, "ms")
        bench.add(f"{name}/accounts", [size], "")


def _tell_a_day() -> None:
    """Give the overview what it would find on a day with some trouble."""
    provider = Provider.objects.get()
    hour = clock.utcnow().replace(minute=0, second=0, microsecond=0)
    RefreshStatistic.objects.all().delete()
    RefreshStatistic.objects.bulk_create(
        RefreshStatistic(
            provider=provider,
            hour=hour - timedelta(hours=back),
            result=result,
            reason=reason,
            count=40_000,
        )
        for back in range(24)
        for result, reason in (("success", ""), ("failure", "server_error"))
    )
    keys = list(ConnectedAccount.objects.values_list("pk", flat=True)[:STOPPED])
    stopped = ConnectedAccount.objects.filter(pk__in=keys)
    stopped.update(status="needs_reauth", refresh_due_at=None)
    rows.tidy()


def _page(client: Any, address: str) -> float:
    started = time.perf_counter()
    response = client.get(address)
    if response.status_code != 200:
        raise AssertionError(f"the admin answered {response.status_code}")
    return (time.perf_counter() - started) * 1000
