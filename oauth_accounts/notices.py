"""
Send the mails that wait: one at a time, each once, and none that is out of date.

A notice is claimed by a conditional UPDATE, so that two workers do not send the same one. One
that is sent and cannot be noted as such, because of a crash in between, is sent again.
"""

from __future__ import annotations

import logging
import math
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.db import router
from django.db.models import F, QuerySet

from oauth_accounts import clock, letters
from oauth_accounts import lease as leases
from oauth_accounts.clock import DatabaseNow
from oauth_accounts.conf import conf
from oauth_accounts.fields import SEALED_FIELDS
from oauth_accounts.models import ConnectedAccount, Notice
from oauth_accounts.post import Post, Unsent
from oauth_accounts.schedule import backoff

logger = logging.getLogger("oauth_accounts")

BATCH_SIZE = 50
# Longer than the time after which a hanging worker is killed.
LEASE_SECONDS = 300
# A mail about something that was so long ago surprises more than it helps.
MAX_AGE = timedelta(days=3)
# A message that is refused for good may be refused by mistake, and is tried again.
REFUSALS = 3
REFUSED_SECONDS = 3600.0
# A mail server that is away is asked this often at least.
UNREACHABLE_SECONDS = 900.0
# So many messages in a row that fail say more about the server than about them.
TROUBLES_IN_A_ROW = 3


@dataclass(kw_only=True, slots=True)
class Result:
    """What came of the notices that were due."""

    sent: int = 0
    dropped: int = 0
    """Out of date, or nobody to send them to."""
    failed: int = 0
    """Tried again later, or given up."""
    more: bool = False
    """Some are left, and the mail server takes them."""

    @property
    def done(self) -> int:
        return self.sent + self.dropped + self.failed


def deliver_due(
    *,
    limit: float = math.inf,
    max_seconds: float = math.inf,
    progress: Callable[[int], None] | None = None,
) -> Result:
    """
    Send what is due now.

    limit: notices at most. max_seconds: begin none after that. progress: called with the
    number of notices done so far; may raise to end it.
    """
    keys = _due_keys()
    if keys and not conf.OAUTH_ACCOUNTS_BASE_URL:
        # They wait; check E018 says so too.
        logger.error("OAUTH_ACCOUNTS_BASE_URL is not set: notices cannot be sent.")
        return Result()
    delivery = _Delivery(limit, time.monotonic() + max_seconds, progress)
    try:
        while keys and delivery.take(keys):
            keys = _due_keys()
    finally:
        delivery.post.close()
    return delivery.result


def count_due() -> int:
    """Return how many notices are due."""
    return _due().count()


def is_on() -> bool:
    """Say whether any kind of notice is sent."""
    return bool(conf.OAUTH_ACCOUNTS_NOTICES)


class _Delivery:
    """One run through what is due."""

    def __init__(
        self, limit: float, deadline: float, progress: Callable[[int], None] | None
    ) -> None:
        self.result = Result()
        self.post = Post()
        self._limit = limit
        self._deadline = deadline
        self._progress = progress
        self._troubles = 0

    def take(self, keys: list[uuid.UUID]) -> bool:
        """Deliver those of the notices that are still free; say whether to go on."""
        for key in keys:
            if self.result.done >= self._limit or time.monotonic() > self._deadline:
                self.result.more = True
                return False
            if (notice := _claim(key)) is not None:
                self._deliver(notice)
                if self._progress:
                    self._progress(self.result.done)
            if self._troubles >= TROUBLES_IN_A_ROW:
                return False
        return True

    def _deliver(self, notice: Notice) -> None:
        account = _account_of(notice)
        if reason := _out_of_date(notice, account):
            self._drop(notice, reason)
        elif notice.created_at < clock.utcnow() - MAX_AGE:
            self._give_up(notice, notice.last_error or "too_old")
        else:
            self._compose(notice, account)

    def _compose(self, notice: Notice, account: Any) -> None:
        try:
            letter = letters.compose(notice, account)
        except Exception:
            # A template or a callable of the project's: whoever wrote it wants to see this.
            logger.exception("Notice %s could not be composed.", notice.pk)
            self._postpone(notice, "not_composed", backoff(notice.attempts))
            return
        if letter is None:
            self._drop(notice, "no_recipient")
        else:
            self._send(notice, letter)

    def _send(self, notice: Notice, letter: EmailMessage) -> None:
        try:
            self.post.send(letter)
        except Unsent as unsent:
            self._fail(notice, unsent)
            return
        self._troubles = 0
        _finish(notice, Notice.Status.SENT)
        self.result.sent += 1

    def _fail(self, notice: Notice, unsent: Unsent) -> None:
        # Names of addresses stand in the error, and stay out of the log.
        logger.warning("Notice %s was not sent: %s.", notice.pk, unsent.error)
        seconds = backoff(notice.attempts)
        if unsent.refused:
            self._troubles = 0
            # Tries while the server was away are no refusals.
            if notice.last_error == "refused" and notice.attempts >= REFUSALS:
                self._give_up(notice, "refused")
            else:
                self._postpone(notice, "refused", max(REFUSED_SECONDS, seconds))
            return
        # Another one would have to wait for the same server.
        self._troubles += TROUBLES_IN_A_ROW if unsent.unreachable else 1
        self._postpone(notice, "unsent", min(UNREACHABLE_SECONDS, seconds))

    def _drop(self, notice: Notice, reason: str) -> None:
        _finish(notice, Notice.Status.DROPPED, reason)
        self.result.dropped += 1

    def _give_up(self, notice: Notice, error: str) -> None:
        _finish(notice, Notice.Status.FAILED, error)
        self.result.failed += 1

    def _postpone(self, notice: Notice, error: str, seconds: float) -> None:
        _held(notice).update(
            last_error=error,
            due_at=DatabaseNow() + timedelta(seconds=seconds),
            lease=None,
            lease_until=None,
        )
        self.result.failed += 1


def _rows() -> QuerySet[Notice]:
    # A replica that lags behind would show rows that are taken already.
    return Notice.objects.using(router.db_for_write(Notice)).order_by()


def _due() -> QuerySet[Notice]:
    return _rows().filter(leases.free(), due_at__lte=DatabaseNow())


def _due_keys() -> list[uuid.UUID]:
    keys = _due().order_by("due_at").values_list("pk", flat=True)
    return list(keys[:BATCH_SIZE])


def _claim(key: uuid.UUID) -> Notice | None:
    lease = uuid.uuid4()
    until = DatabaseNow() + timedelta(seconds=LEASE_SECONDS)
    if (
        not _due()
        .filter(pk=key)
        .update(lease=lease, lease_until=until, attempts=F("attempts") + 1)
    ):
        return None
    return _rows().filter(pk=key, lease=lease).first()


def _held(notice: Notice) -> QuerySet[Notice]:
    return _rows().filter(pk=notice.pk, lease=notice.lease)


def _finish(notice: Notice, status: str, error: str = "") -> None:
    _held(notice).update(
        status=status,
        last_error=error,
        due_at=None,
        lease=None,
        lease_until=None,
        finished_at=DatabaseNow(),
        # Whose account it was is not needed any more.
        snapshot={},
    )


def _account_of(notice: Notice) -> ConnectedAccount | None:
    """Return the account as it is, or as it was before it was deleted."""
    rows = ConnectedAccount.objects.using(router.db_for_write(ConnectedAccount))
    account: ConnectedAccount | None = (
        rows.defer(*SEALED_FIELDS)
        .select_related("provider", "owner", "connected_by")
        .filter(pk=notice.account_key)
        .first()
    )
    return account or _remembered(notice)


def _remembered(notice: Notice) -> ConnectedAccount | None:
    """Return an account that was deleted, for the mail; None without owner or provider."""
    kept = notice.snapshot
    owner = _person("owner", kept.get("owner"))
    if notice.provider is None or (kept.get("owner") is not None and owner is None):
        return None
    return ConnectedAccount(
        id=notice.account_key,
        provider=notice.provider,
        owner=owner,
        connected_by=_person("connected_by", kept.get("connected_by")),
        uid=kept.get("uid", ""),
        label=kept.get("label", ""),
    )


def _person(name: str, key: str | None) -> Any:
    """Return whom a column of a deleted account referred to."""
    model: Any = ConnectedAccount._meta.get_field(name).related_model
    try:
        return model._base_manager.filter(pk=key).first()
    except (ValueError, ValidationError):
        return None


def _out_of_date(notice: Notice, account: ConnectedAccount | None) -> str:
    """Say why a notice is not to be sent any more, or ""."""
    if notice.topic not in conf.OAUTH_ACCOUNTS_NOTICES:
        return "switched_off"
    if account is None:
        return "gone"
    needed = {
        Notice.Kind.REAUTH_REQUIRED: account.Status.NEEDS_REAUTH,
        Notice.Kind.DISCONNECTED: account.Status.REVOKED,
    }.get(Notice.Kind(notice.kind))
    # Whoever connected it has to hear of that, whatever became of the account since.
    if needed is None:
        return ""
    if account._state.adding:
        return "" if needed == account.Status.REVOKED else "superseded"
    unchanged = account.generation == notice.generation
    return "" if unchanged and account.status == needed else "superseded"
