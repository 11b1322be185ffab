"""Accounts by the thousand and by the million, as the engine would have stored them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import connection

from benchmarks.stub import PADDING, first_refresh_token
from oauth_accounts import clock
from oauth_accounts.fields import seal
from oauth_accounts.models import ConnectedAccount, Provider
from oauth_accounts.testing.accounts import give_tokens

TABLE = ConnectedAccount._meta.db_table
HOUR = 3600
AS_NEW: dict[str, Any] = {
    "status": "active",
    "status_reason": "",
    "lease": None,
    "lease_until": None,
    "attempt_started_at": None,
    "failure_count": 0,
}


def make_provider(url: str, slug: str = "stub") -> Provider:
    """Store a provider whose endpoints are the stub server's."""
    provider = Provider(
        slug=slug,
        name="Stub",
        client_id="benchmarks",
        client_secret="made-up-client-secret",
        issuer=url,
        authorization_endpoint=f"{url}/authorize",
        token_endpoint=f"{url}/token",
        userinfo_endpoint=f"{url}/userinfo",
        scopes=["read", "write"],
    )
    provider.save()
    return provider


def point(provider: Provider, url: str, latency_ms: int) -> None:
    """Let the token endpoint answer so much later; secrets are bound to its origin only."""
    provider.token_endpoint = f"{url}/{latency_ms}/token"
    provider.save()


def add_accounts(provider: Provider, count: int) -> None:
    """Insert an account and copies of it; none is due, only the first's tokens open."""
    _template(provider)
    copy_accounts(1, count - 1)


def copy_accounts(have: int, count: int) -> None:
    """Insert more copies. have: how many there are."""
    columns = [f.column for f in ConnectedAccount._meta.concrete_fields]
    own = {
        "id": "gen_random_uuid()",
        "uid": "'subject-' || lpad(n::text, 9, '0')",
        "identity_key": "md5(random()::text || n) || md5(n::text)",
        # Spread over the life of a token, as those of many users are.
        "refresh_due_at": "now() + interval '1 day' + random() * interval '1 hour'",
    }
    quoted = ", ".join(f'"{column}"' for column in columns)
    values = ", ".join(own.get(column, f't."{column}"') for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {TABLE} ({quoted}) SELECT {values} FROM {TABLE} t, "  # noqa: S608
            "generate_series(%s, %s) n WHERE t.uid = 'template'",
            [have, have + count - 1],
        )


def tidy() -> None:
    """Clean up behind many updates, so that no variant pays for another's."""
    with connection.cursor() as cursor:
        cursor.execute(f"VACUUM ANALYZE {TABLE}")


def seal_tokens(provider: Provider, keys: Sequence[Any], start: int = 0) -> None:
    """Give accounts tokens of their own that open, and that the stub server knows."""
    label = ConnectedAccount._meta.label
    table = "bench_tokens"
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TEMP TABLE IF NOT EXISTS {table} "
            "(id uuid, access_token bytea, refresh_token bytea)"
        )
        cursor.execute(f"TRUNCATE {table}")
        with cursor.copy(f"COPY {table} FROM STDIN") as copy:
            for number, key in enumerate(keys, start):
                place = {"id": str(key), **provider.binding()}
                tokens = {
                    "access_token": f"a.{number}.first.{'x' * 160}",
                    "refresh_token": first_refresh_token(f"{provider.slug}-{number}"),
                }
                sealed = [
                    seal(text, {"c": f"{label}.{name}", **place}).ciphertext
                    for name, text in tokens.items()
                ]
                copy.write_row((key, *sealed))
        cursor.execute(
            f"UPDATE {TABLE} a SET access_token = b.access_token, "  # noqa: S608
            f"refresh_token = b.refresh_token FROM {table} b WHERE a.id = b.id"
        )


def make_due(provider: Provider, count: int | None) -> None:
    """Let so many accounts be due, none of them with None, and nothing else."""
    rows = ConnectedAccount.objects.filter(provider=provider)
    now = clock.utcnow()
    soon, late = now + timedelta(hours=12), now + timedelta(days=1)
    rows.filter(refresh_due_at__lt=soon).update(refresh_due_at=late, **AS_NEW)
    if count is not None:
        keys = rows.order_by("uid").values("pk")[:count]
        chosen = ConnectedAccount.objects.filter(pk__in=keys)
        chosen.update(**AS_NEW, refresh_due_at=now - timedelta(minutes=1))


def make_all_due(first: Sequence[Any]) -> None:
    """Let all accounts be due. first: keys of those that are due longest."""
    now = clock.utcnow()
    rows = ConnectedAccount.objects.all()
    rows.update(**AS_NEW, refresh_due_at=now - timedelta(minutes=1))
    tidy()
    rows.filter(pk__in=first).update(refresh_due_at=now - timedelta(hours=1))


def keys_of(provider: Provider, count: int) -> list[Any]:
    """Return the keys of the accounts that `make_due` takes."""
    rows = ConnectedAccount.objects.filter(provider=provider)
    return list(rows.order_by("uid").values_list("pk", flat=True)[:count])


def _template(provider: Provider) -> None:
    account = ConnectedAccount(
        provider=provider,
        uid="template",
        label="somebody@example.com",
        requested_scopes=["read", "write"],
    )
    give_tokens(
        account,
        access_token=f"a.template.{PADDING}",
        refresh_token=first_refresh_token("template"),
        expires_in=HOUR,
        scopes=["read", "write"],
    )
    account.refresh_due_at = clock.utcnow() + timedelta(days=1)
    account.save(force_insert=True)
