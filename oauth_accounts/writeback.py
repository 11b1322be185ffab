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
    alias = answered.account.write_alias
    return bool(_insist(alias, [answered], lambda: _update_all([answered])))


def write_group(group: Sequence[Answered]) -> tuple[set[uuid.UUID], set[uuid.UUID]]:
    """
    Write the usable answers of several accounts at once, and wait for nobody's locks.

    Return the keys of those that took it, and of those that somebody has locked: they are
    still ours, and to be tried again. All are on one database. Raises like `write`.
    """
    alias = group[0].account.write_alias
    locked: set[uuid.UUID] = set()

    def work() -> set[uuid.UUID]:
        written = _write(alias, group)
        locked.clear()
        missed = [one for one in group if one.account.pk not in written]
        # Asked within the same insistence: an answer that is ours still is not given up.
        locked.update(_still_ours(alias, missed))
        return written

    written = _insist(alias, group, work)
    return written, locked - written


def _write(alias: str, group: Sequence[Answered]) -> set[uuid.UUID]:
    if connections[alias].vendor == "postgresql":
        return _write_at_once(alias, group)
    # One transaction, because what costs is the commit.
    with transaction.atomic(using=alias):
        free = _not_locked(alias, group)
        return _update_all([one for one in group if one.account.pk in free])


def _update_all(group: Sequence[Answered]) -> set[uuid.UUID]:
    return {one.account.pk for one in group if _update(one)}


def _not_locked(alias: str, group: Sequence[Answered]) -> set[uuid.UUID]:
    keys = [one.account.pk for one in group]
    if not connections[alias].features.has_select_for_update_skip_locked:
        return set(keys)
    rows = type(group[0].account)._base_manager.using(alias).filter(pk__in=keys)
    free = rows.select_for_update(skip_locked=True)
    return set(free.values_list("pk", flat=True))


def _still_ours(alias: str, missed: Sequence[Answered]) -> set[uuid.UUID]:
    if not missed:
        return set()
    rows = type(missed[0].account)._base_manager.using(alias)
    keys = [one.account.pk for one in missed]
    held = set(rows.filter(pk__in=keys).values_list("pk", "lease", "generation"))
    return {
        one.account.pk
        for one in missed
        if (one.account.pk, one.claim.lease, one.claim.generation) in held
    }


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
                    lament(group[0], type(error).__name__)
                raise
            retried = True
            connections[alias].close_if_unusable_or_obsolete()
            time.sleep(RETRY_SECONDS)
            continue
        if retried:
            # The confirmation of an earlier write may have been lost, not the write.
            written |= {one.account.pk for one in group if _is_stored(one)}
        return written


def lament(answered: Answered, why: str) -> None:
    """Say that a token is lost, to whoever reads the log. why: a word."""
    logger.critical(
        "The new tokens of account %s could not be stored before its lease was over "
        "(%s). If its provider rotates refresh tokens, its owner has to connect it again.",
        answered.account.pk,
        why,
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
  AND a.id IN (
    SELECT id FROM {table} WHERE id = ANY(%s::uuid[]) FOR NO KEY UPDATE SKIP LOCKED
  )
RETURNING a.id
"""


def _write_at_once(alias: str, group: Sequence[Answered]) -> set[uuid.UUID]:
    table = connections[alias].ops.quote_name(group[0].account._meta.db_table)
    statement = _UPDATE.format(table=table, now="STATEMENT_TIMESTAMP()")
    now = clock.utcnow()
    columns = zip(*(_row(one, now) for one in group), strict=True)
    with connections[alias].cursor() as cursor:
        parameters = [list(column) for column in columns]
        cursor.execute(statement, [*parameters, parameters[0]])
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
