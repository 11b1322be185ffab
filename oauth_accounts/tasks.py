"""
Celery tasks and the beat schedule; without Celery the command does the same work.

Messages hold primary keys or nothing, results are ignored: neither the broker nor a result
backend ever sees a token.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

from django.dispatch import receiver

from oauth_accounts import connect, outbox, signals, sweep
from oauth_accounts.exceptions import OAuthAccountsError
from oauth_accounts.models import ConnectedAccount

try:
    from celery import shared_task
    from kombu.exceptions import OperationalError as BrokerError
except ImportError:
    HAS_CELERY = False
    BrokerError = OSError
else:
    HAS_CELERY = True

F = TypeVar("F", bound=Callable[..., None])

logger = logging.getLogger("oauth_accounts")

# A task that waited longer than this is dropped; beat has sent another by then (seconds).
EXPIRES = 300
SWEEP_SECONDS = 50.0
# Above the longest call plus the write that follows it.
SOFT_TIME_LIMIT = 240
TIME_LIMIT = 300


def task(name: str) -> Callable[[F], F]:
    """Register a Celery task under a stable name, or leave the function as it is."""
    if not HAS_CELERY:
        return lambda function: function
    decorator: Callable[[F], F] = shared_task(
        name=f"oauth_accounts.tasks.{name}",
        ignore_result=True,
        expires=EXPIRES,
        soft_time_limit=SOFT_TIME_LIMIT,
        time_limit=TIME_LIMIT,
    )
    return decorator


@task("refresh_due_accounts")
def refresh_due_accounts() -> None:
    """Refresh every account that is due."""
    sweep.run(max_seconds=SWEEP_SECONDS)


@task("refresh_account")
def refresh_account(account_id: str) -> None:
    """Refresh one account; its outcome is recorded on its row."""
    account = ConnectedAccount.objects.filter(pk=uuid.UUID(account_id)).first()
    if account is None:
        return
    try:
        account.refresh()
    except OAuthAccountsError as error:
        logger.info("Refresh of account %s ended with %s.", account_id, error.code)


@task("deliver_revocations")
def deliver_revocations() -> None:
    """Revoke what waits in the outbox."""
    outbox.deliver_due(limit=outbox.BATCH_SIZE)


@task("purge_expired_attempts")
def purge_expired_attempts() -> None:
    """Delete authorisation attempts that are over."""
    connect.purge_attempts()


# Merge into the project's CELERY_BEAT_SCHEDULE.
BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "oauth_accounts.refresh_due_accounts": {
        "task": "oauth_accounts.tasks.refresh_due_accounts",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "oauth_accounts.deliver_revocations": {
        "task": "oauth_accounts.tasks.deliver_revocations",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "oauth_accounts.purge_expired_attempts": {
        "task": "oauth_accounts.tasks.purge_expired_attempts",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
}


def enqueue(function: Callable[..., None], *arguments: str) -> bool:
    """
    Send a task to the workers now, if there are any; return whether that worked.

    A broker that is down is no error: the work is in the database, and beat or the command
    finds it there.
    """
    if not HAS_CELERY:
        return False
    try:
        function.apply_async(  # type: ignore[attr-defined]
            args=arguments, expires=EXPIRES, retry=False, ignore_result=True
        )
    except (BrokerError, OSError):
        logger.warning("The broker did not take a task; it will be done by beat.")
        return False
    return True


@receiver(signals.account_revoked)
def deliver_after_revocation(sender: Any, **kwargs: Any) -> None:
    """Revoke at the provider soon after the account was stopped here."""
    enqueue(deliver_revocations)
