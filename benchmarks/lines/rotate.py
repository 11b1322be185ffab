"""Rows that come under a new key, against the same cryptography without a database."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from cryptography.fernet import Fernet
from django.conf import settings
from django.test import override_settings

from benchmarks import database, rows
from benchmarks.bench import Bench
from oauth_accounts import rotate
from oauth_accounts.fields import Secret
from oauth_accounts.models import ConnectedAccount, Provider

ROWS = 20_000
TOKENS = ("access_token", "refresh_token")
TOKEN_LENGTH = 200


def run(bench: Bench) -> None:
    database.empty(ConnectedAccount, Provider)
    count = ROWS // 10 if bench.quick else ROWS
    bench.begin("rotation of keys", bench.rounds + 2)
    _add_accounts(rows.make_provider(bench.stub.url), count)
    fernet = Fernet(Fernet.generate_key())
    sealed = [fernet.encrypt(_token().encode()) for _ in range(len(TOKENS) * count)]
    bench.step(f"{count:,} accounts")
    ours: list[tuple[float, float]] = []
    bare: list[tuple[float, float]] = []
    keys = settings.FERNET_KEYS
    for number in range(bench.rounds + 1):
        keys = [secrets.token_urlsafe(48), keys[0]]
        with override_settings(FERNET_KEYS=keys):
            rates = _rates(count, lambda: _rotate(count))
        plain = _rates(count, lambda: _reseal(fernet, sealed))
        if number:  # the first one warms up
            ours.append(rates)
            bare.append(plain)
        rows.tidy()
        bench.step(f"{rates[0]:,.0f} rows/s")
    bench.add("rotate/rows", [wall for wall, _cpu in ours], "/s")
    bench.add("rotate/bare", [wall for wall, _cpu in bare], "/s")
    # Each round's own ratio, because the machine's speed moves between rounds.
    for position, name in enumerate(("ratio", "cpu ratio")):
        pairs = zip(ours, bare, strict=True)
        bench.add(f"rotate/{name}", [a[position] / b[position] for a, b in pairs], "x")


def _add_accounts(provider: Provider, count: int) -> None:
    accounts = [
        ConnectedAccount(provider=provider, uid=f"rotate-{number}")
        for number in range(count)
    ]
    for account in accounts:
        for name in TOKENS:
            setattr(account, name, Secret(_token()))
    ConnectedAccount.objects.bulk_create(accounts, batch_size=1000)


def _token() -> str:
    return secrets.token_hex(TOKEN_LENGTH // 2)


def _rates(count: int, work: Callable[[], None]) -> tuple[float, float]:
    """Return rows a second, and rows for each second of this process's CPU."""
    started, used = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - started, time.process_time() - used
    return count / wall, count / cpu


def _rotate(count: int) -> None:
    resealed = rotate.run().resealed
    # And the provider's secret.
    if resealed != count + 1:
        raise AssertionError(f"{resealed} rows were re-encrypted, not {count + 1}")


def _reseal(fernet: Fernet, sealed: list[bytes]) -> None:
    for value in sealed:
        fernet.encrypt(fernet.decrypt(value))
