"""A process with many threads that all ask for the same token at the same moment."""

from __future__ import annotations

import threading
import time
from typing import Any

import django
from django.db import connection

from benchmarks import children

ACCOUNTS: list[Any] = []


def load(key: str, callers: int) -> int:
    """Read the account once for each caller, as so many requests would have."""
    from oauth_accounts.models import ConnectedAccount  # noqa: PLC0415

    rows = ConnectedAccount.objects.select_related("provider")
    ACCOUNTS[:] = [rows.get(pk=key) for _ in range(callers)]
    connection.close()
    return len(ACCOUNTS)


def ask(at: float) -> dict[str, Any]:
    """Ask with all callers at a moment of the wall clock; return how long each waited."""
    waits: list[float] = []
    tokens: list[str] = []

    def caller(account: Any) -> None:
        time.sleep(max(0.0, at - time.time()))
        started = time.perf_counter()
        token = account.get_access_token()
        waits.append(time.perf_counter() - started)
        tokens.append(token)
        connection.close()

    threads = [threading.Thread(target=caller, args=(a,)) for a in ACCOUNTS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"waits": waits, "different_tokens": len(set(tokens)), "tokens": len(tokens)}


if __name__ == "__main__":
    django.setup()
    children.serve({"load": load, "ask": ask})
