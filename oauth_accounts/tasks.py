"""
Celery tasks; without Celery the command does the same work. `beat` has their schedule.

Messages hold primary keys or nothing, results are ignored: neither the broker nor a result
backend ever sees a token.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from typing import Any, TypeVar, cast

from oauth_accounts import bulk, connect, notices, outbox, schedule, sweep
from oauth_accounts.beat import BEAT_SCHEDULE, EXPIRES
from oauth_accounts.exceptions import OAuthAccountsError
from oauth_accounts.models import (
    ConnectedAccount,
    purge_bulk_actions,
    purge_events,
    purge_notices,
    purge_unread_answers,
)

try:
    from celery import current_app, shared_task
    from kombu.exceptions import LimitExceeded, OperationalError
except ImportError:
    HAS_CELERY = False
    BROKER_ERRORS: tuple[type[Exception], ...] = (OSError,)
else:
    HAS_CELERY = True
    BROKER_ERRORS = (OperationalError, LimitExceeded, OSError)

__all__ = [
    "BEAT_SCHEDULE",  # lives where settings can import it, and is known by this address
    "HAS_CELERY",
    "deliver_notices",
    "deliver_revocations",
    "enqueue",
    "purge_expired_attempts",
    "refresh_account",
    "refresh_due_accounts",
    "run_bulk_actions",
]

F = TypeVar("F", bound=Callable[..., None])

logger = logging.getLogger("oauth_accounts")

# What Celery calls the app it makes up when the project has none; its broker is a guess.
NO_APP = "default"
# For each step (dial, handshake, publish): a page can do without the broker.
BROKER_SECONDS = 0.4
# A broker that accepts and is silent would be waited for without end.
BROKER_TIMEOUTS = {
    "amqp": {"read_timeout": BROKER_SECONDS, "write_timeout": BROKER_SECONDS},
    "redis": {
        "socket_connect_timeout": BROKER_SECONDS,
        "socket_timeout": BROKER_SECONDS,
        "retry_on_timeout": False,
    },
}
# What one task does before it makes room for others: a worker has more to do than this.
TASK_ACCOUNTS = 2000
TASK_SECONDS = 15.0
# While more is due, tasks send further ones: at first two each, up to eight chains side by
# side, each of so many tasks at most. The next ones come from beat.
FORKS = 3
LINKS = 20
# Above the longest call plus the write that follows it.
SOFT_TIME_LIMIT = 240
TIME_LIMIT = 300


def task(name: str) -> Callable[[F], F]:
    """Register a Celery task under a stable name, or leave the function as it is."""
    if not HAS_CELERY:
        return lambda function: function
    decorator: Any = shared_task(
        name=f"oauth_accounts.tasks.{name}",
        ignore_result=True,
        expires=EXPIRES,
        soft_time_limit=SOFT_TIME_LIMIT,
        time_limit=TIME_LIMIT,
    )
    return cast("Callable[[F], F]", decorator)


@task("refresh_due_accounts")
def refresh_due_accounts(forks: int = FORKS, links: int = LINKS) -> None:
    """
    Refresh accounts that are due, and send for more hands when there are more.

    forks: how often this task may become two. links: how many tasks may follow it.
    """
    started = time.monotonic()
    done = sweep.run(limit=TASK_ACCOUNTS, max_seconds=TASK_SECONDS).done
    in_time = time.monotonic() - started < TASK_SECONDS
    if links <= 0 or (done < TASK_ACCOUNTS and in_time):
        if done and bulk.waits_for_refreshes():
            # Somebody looks at a page that says how far they are.
            enqueue(run_bulk_actions, 0)
        return
    for _hand in range(2 if forks > 0 else 1):
        enqueue(refresh_due_accounts, max(0, forks - 1), links - 1)


@task("refresh_account")
def refresh_account(account_id: str) -> None:
    """Refresh one account; its outcome is recorded on its row."""
    account = ConnectedAccount.objects.filter(pk=uuid.UUID(account_id)).first()
    if account is None or schedule.is_recent(account, EXPIRES, account.database_now()):
        # Gone, or refreshed since: a broker may deliver the same message twice.
        return
    try:
        account.refresh()
    except OAuthAccountsError as error:
        logger.info("Refresh of account %s ended with %s.", account_id, error.code)


@task("deliver_revocations")
def deliver_revocations() -> None:
    """Revoke what waits in the outbox."""
    outbox.deliver_due(limit=outbox.BATCH_SIZE)


@task("deliver_notices")
def deliver_notices(links: int = LINKS) -> None:
    """
    Mail to owners what waits for them, and send for another hand when there is more.

    links: how many tasks may follow this one.
    """
    if notices.deliver_due(max_seconds=TASK_SECONDS).more and links > 0:
        enqueue(deliver_notices, links - 1)


@task("run_bulk_actions")
def run_bulk_actions(links: int = LINKS) -> None:
    """
    Go on with what administrators ordered, and send for another hand when there is more.

    links: how many tasks may follow this one.
    """
    has_ordered = bulk.has_refreshes_to_order()
    if bulk.run_all(TASK_SECONDS) and links > 0:
        enqueue(run_bulk_actions, links - 1)
    if has_ordered:
        # They are due now; the next sweep by beat may be a minute away.
        enqueue(refresh_due_accounts)


@task("purge_expired_attempts")
def purge_expired_attempts() -> None:
    """Delete what is over: attempts, unread answers, notices, bulk actions, events."""
    connect.purge_attempts()
    purge_unread_answers()
    purge_notices()
    purge_bulk_actions()
    purge_events()


def enqueue(function: Callable[..., None], *arguments: str | int) -> bool:
    """
    Send a task to the workers now, if there are any; return whether that worked.

    A broker that is down is no error: the work is in the database, and beat or the command
    finds it there.
    """
    if not HAS_CELERY or current_app.main == NO_APP:
        return False
    try:
        _send(function, arguments)
    except BROKER_ERRORS:
        logger.warning("The broker did not take a task; it will be done by beat.")
        return False
    return True


def _send(function: Any, arguments: tuple[str | int, ...]) -> None:
    with _connection() as connection:
        try:
            # Left to itself, Celery goes on trying for longer than a page may take.
            connection.ensure_connection(
                max_retries=1, interval_start=0, timeout=BROKER_SECONDS
            )
            function.apply_async(
                args=arguments, connection=connection, expires=EXPIRES, retry=False
            )
        except (*connection.connection_errors, *connection.channel_errors):
            # Each transport has its own: Redis's are no OSError.
            raise OperationalError from None


def _connection() -> Any:
    """Return a connection of its own, with timeouts, where there are timeouts to set."""
    driver = current_app.connection_for_write().transport.driver_type
    if driver not in BROKER_TIMEOUTS:
        # Kept open: with the last connection, the in-memory broker loses its messages.
        return current_app.pool.acquire(block=True, timeout=BROKER_SECONDS)
    return current_app.connection_for_write(
        connect_timeout=BROKER_SECONDS, transport_options=BROKER_TIMEOUTS[driver]
    )
