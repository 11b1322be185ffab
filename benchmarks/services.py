"""The servers the benchmarks need: where they are, and a database of the run's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import redis
from psycopg import sql

HOST = os.environ.get("BENCH_POSTGRES_HOST", "127.0.0.1")
PORT = os.environ.get("BENCH_POSTGRES_PORT", "5432")
USER = os.environ.get("BENCH_POSTGRES_USER", "postgres")
PASSWORD = os.environ.get("BENCH_POSTGRES_PASSWORD", "")
REDIS_URL = os.environ.get("BENCH_REDIS_URL", "redis://127.0.0.1:6379/0")

# Children inherit the name, and whatever they leave in Redis begins with it.
NAME_VARIABLE = "BENCH_RUN"


class ServiceMissing(Exception):
    """A server does not answer, in words for people."""


def run_name() -> str:
    """Return the name of this run's database and of its keys in Redis."""
    return os.environ.setdefault(NAME_VARIABLE, f"oauth_accounts_bench_{os.getpid()}")


def connect(database: str = "postgres") -> psycopg.Connection:
    return psycopg.connect(
        host=HOST,
        port=PORT,
        user=USER,
        password=PASSWORD or None,
        dbname=database,
        autocommit=True,
        connect_timeout=5,
    )


def require() -> dict[str, str]:
    """Return the versions of the servers; raises ServiceMissing when one is absent."""
    try:
        with connect() as connection:
            postgres = connection.info.parameter_status("server_version") or "?"
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[0]
        raise ServiceMissing(
            f"PostgreSQL does not answer on {HOST}:{PORT} as {USER} ({reason}). Start it, "
            "or say where it is: BENCH_POSTGRES_HOST, _PORT, _USER, _PASSWORD."
        ) from None
    try:
        with redis.Redis.from_url(REDIS_URL, socket_timeout=5) as client:
            redis_version = client.info("server")["redis_version"]
    except redis.RedisError as error:
        raise ServiceMissing(
            f"Redis does not answer ({error}). Start it, or say where it is: "
            "BENCH_REDIS_URL."
        ) from None
    return {"PostgreSQL": postgres.split(" ")[0], "Redis": str(redis_version)}


@contextmanager
def own_database() -> Iterator[str]:
    """Create this run's database; drop it and the run's keys whatever happens."""
    name = run_name()
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(
        sql.Identifier(name)
    )
    with connect() as connection:
        connection.execute(drop)
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield name
    finally:
        with connect() as connection:
            connection.execute(drop)
        forget_messages()


def forget_messages() -> None:
    """Delete what this run's workers left in Redis."""
    with redis.Redis.from_url(REDIS_URL) as client:
        for key in client.scan_iter(f"{run_name()}*", count=1000):
            client.delete(key)
