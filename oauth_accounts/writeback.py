"""
The write that follows a provider's answer, fenced by lease and generation.

A rotated token exists nowhere but here until it is committed: the database is asked again
and again until the lease is over.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import InterfaceError, OperationalError, connections, transaction
from django.db.models import Case, F, Value, When

from oauth_accounts import clock
from oauth_accounts.fields import Sealed
from oauth_accounts.lease import Claim, while_active

if TYPE_CHECKING:
    from oauth_accounts.models import ConnectedAccount

T = TypeVar("T")

logger = logging.getLogger("oauth_accounts")

RETRY_SECONDS = 0.2
# What the row keeps when an answer does not name it.
SEALED = ("access_token", "refresh_token", "token_secret", "id_token")
DATES = ("issued_at", "expires_at", "refresh_token_expires_at", "last_refreshed_at")


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """An answer that has to be written: new columns of one account."""

    account: ConnectedAccount
    """As it was read under the lease."""
    claim: Claim
    """What the write is fenced by."""
    values: dict[str, Any] = field(repr=False)
    """From `account.token_values()`."""


def write(answered: Answered) -> bool:
    """
    Write one answer; return False when the account was taken away meanwhile.

    Raises OperationalError or InterfaceError when the database did not take it before the
    lease was over.
    """
    return bool(write_all([answered]))


def write_all(group: Sequence[Answered]) -> set[uuid.UUID]:
    """
    Write the answers of several accounts at once; return the keys of those that took it.

    All are on one database, and each holds the columns of a usable answer, unless it is
    the only one. Raises like `write`.
    """
    alias = group[0].account.write_alias
    return _insist(alias, group, lambda: _write(alias, group))


def _write(alias: str, group: Sequence[Answered]) -> set[uuid.UUID]:
    if len(group) > 1 and connections[alias].vendor == "postgresql":
        return _write_at_once(alias, group)
    if len(group) == 1:
        return {one.account.pk for one in group if _update(one)}
    # One transaction, because what costs is the commit.
    with transaction.atomic(using=alias):
        return {one.account.pk for one in group if _update(one)}


def _insist(
    alias: str, group: Sequence[Answered], work: Callable[[], set[uuid.UUID]]
) -> set[uuid.UUID]:
    deadline = min(one.claim.deadline for one in group)
    retried = False
    while True:
        try:
            if retried and not connections[alias].in_atomic_block:
                # A new connection begins as the settings say, perhaps without.
                connections[alias].set_autocommit(True)
            written = work()
        except (OperationalError, InterfaceError) as error:
            if time.monotonic() > deadline:
                if len(group) == 1:
                    # Those of a larger group are tried once more, each by itself.
                    _lament(group[0], error)
                raise
            retried = True
            connections[alias].close_if_unusable_or_obsolete()
            time.sleep(RETRY_SECONDS)
            continue
        if retried:
            # The confirmation of an earlier write may have been lost, not the write.
            written |= {one.account.pk for one in group if _is_stored(one)}
        return written


def _lament(answered: Answered, error: Exception) -> None:
    logger.critical(
        "The new tokens of account %s could not be stored before its lease was over "
        "(%s). If its provider rotates refresh tokens, its owner has to connect it again.",
        answered.account.pk,
        type(error).__name__,
    )


def _update(one: Answered) -> bool:
    rows = one.account.stored_row().filter(
        lease=one.claim.lease, generation=one.claim.generation
    )
    values = {
        name: clock.on_database(value) if isinstance(value, datetime) else value
        for name, value in one.values.items()
    }
    values |= {
        # A refresh of an account that was disabled meanwhile keeps its tokens alive, and
        # leaves its state alone.
        "status_reason": Case(
            When(status="active", then=Value(values["status_reason"])),
            default=F("status_reason"),
        ),
        "refresh_due_at": while_active(values["refresh_due_at"]),
        "generation": F("generation") + 1,
        "lease": None,
        "lease_until": None,
        "attempt_started_at": None,
    }
    return bool(rows.update(**values))


def _is_stored(one: Answered) -> bool:
    names = [name for name in SEALED if name in one.values]
    stored = one.account.stored_row().values(*names).first()
    return bool(stored == {name: one.values[name] for name in names})


# One statement for all rows. NULL in a column that an answer may leave out keeps what the
# row has; dates are seconds from now on the database's clock.
_UPDATE = """
UPDATE {table} AS a SET
  access_token = COALESCE(v.access_token, a.access_token),
  refresh_token = COALESCE(v.refresh_token, a.refresh_token),
  token_secret = COALESCE(v.token_secret, a.token_secret),
  id_token = COALESCE(v.id_token, a.id_token),
  scopes = COALESCE(v.scopes::jsonb, a.scopes),
  key_id = COALESCE(v.key_id, a.key_id),
  token_type = v.token_type,
  issued_at = {now} + v.issued_at * INTERVAL '1 second',
  expires_at = {now} + v.expires_at * INTERVAL '1 second',
  last_refreshed_at = {now} + v.last_refreshed_at * INTERVAL '1 second',
  refresh_token_expires_at = CASE WHEN v.is_dated
    THEN {now} + v.refresh_token_expires_at * INTERVAL '1 second'
    ELSE a.refresh_token_expires_at END,
  refresh_due_at = CASE WHEN a.status = 'active'
    THEN {now} + v.refresh_due_at * INTERVAL '1 second' END,
  status_reason = CASE WHEN a.status = 'active'
    THEN v.status_reason ELSE a.status_reason END,
  last_error = '', failure_count = 0,
  generation = a.generation + 1,
  lease = NULL, lease_until = NULL, attempt_started_at = NULL
FROM unnest(
  %s::uuid[], %s::uuid[], %s::bigint[],
  %s::bytea[], %s::bytea[], %s::bytea[], %s::bytea[], %s::text[], %s::text[],
  %s::text[], %s::text[], %s::bool[],
  %s::float8[], %s::float8[], %s::float8[], %s::float8[], %s::float8[]
) AS v (
  id, lease, generation,
  access_token, refresh_token, token_secret, id_token, scopes, key_id,
  token_type, status_reason, is_dated,
  issued_at, expires_at, last_refreshed_at, refresh_token_expires_at, refresh_due_at
)
WHERE a.id = v.id AND a.lease = v.lease AND a.generation = v.generation
RETURNING a.id
"""


def _write_at_once(alias: str, group: Sequence[Answered]) -> set[uuid.UUID]:
    table = connections[alias].ops.quote_name(group[0].account._meta.db_table)
    statement = _UPDATE.format(table=table, now="STATEMENT_TIMESTAMP()")
    now = clock.utcnow()
    columns = zip(*(_row(one, now) for one in group), strict=True)
    with connections[alias].cursor() as cursor:
        cursor.execute(statement, [list(column) for column in columns])
        return {uuid.UUID(str(key)) for (key,) in cursor.fetchall()}


def _row(one: Answered, now: datetime) -> tuple[Any, ...]:
    values = one.values
    scopes = values.get("scopes")
    dates = (*DATES[:2], DATES[3], DATES[2], "refresh_due_at")
    return (
        one.account.pk,
        one.claim.lease,
        one.claim.generation,
        *(_ciphertext(values.get(name)) for name in SEALED),
        None if scopes is None else json.dumps(scopes),
        values.get("key_id"),
        values["token_type"],
        values["status_reason"],
        # A token that was kept, and is only sealed anew, keeps its date.
        "refresh_token_expires_at" in values,
        *(_seconds_from(now, values.get(name)) for name in dates),
    )


def _ciphertext(sealed: Sealed | None) -> bytes | None:
    return None if sealed is None else sealed.ciphertext


def _seconds_from(now: datetime, moment: datetime | None) -> float | None:
    return None if moment is None else (moment - now).total_seconds()
