"""
Carry out what an administrator ordered for many accounts: durably, and piece by piece.

An order and its accounts are rows before anything is done. Each account is marked in the
transaction that changes it, so that whoever is killed midway, or does the same work twice,
neither leaves one out nor does it again. Workers, beat or the command go on where somebody
stopped. Refreshes are left to the sweep, unless somebody waits for a few of them.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import timedelta
from itertools import islice
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import router, transaction
from django.db.models import Q, QuerySet

from oauth_accounts import clock
from oauth_accounts.clock import DatabaseNow
from oauth_accounts.eligibility import (
    closed_providers,
    obstacle,
    own_obstacle,
    token_state,
)
from oauth_accounts.exceptions import OAuthAccountsError
from oauth_accounts.models import BulkAction, BulkItem, ConnectedAccount

# More than this is no choice by hand any more; see the command.
MAX_ACCOUNTS = 100_000
INSERTED = 1000
BATCH_SIZE = 100
# Longer than anybody works on an order at a time.
BUSY_SECONDS = 90
# A refresh that has not come by then is not waited for: its provider is paused, or gone.
PATIENCE = timedelta(days=1)

Kind, Outcome, Status = BulkAction.Kind, BulkItem.Outcome, ConnectedAccount.Status


def start(kind: str, keys: Iterable[Any], actor: Any) -> BulkAction:
    """Write down the order. keys: of accounts. actor: user for the audit."""
    alias = _alias()
    rest = iter(keys)
    with transaction.atomic(using=alias):
        action = BulkAction.objects.using(alias).create(kind=kind, actor=actor)
        while batch := list(islice(rest, INSERTED)):
            items = BulkItem.objects.using(alias)
            items.bulk_create(
                BulkItem(bulk_action=action, account_key=key) for key in batch
            )
            action.total += len(batch)
        action.save(update_fields=["total"])
    return action


def run_all(seconds: float) -> bool:
    """
    Go on with all orders, the oldest first; return whether time was up before the work.

    seconds: after which nothing new is begun.
    """
    deadline = time.monotonic() + seconds
    rows = BulkAction.objects.using(_alias()).filter(finished_at__isnull=True)
    for action in rows.select_related("actor").order_by("created_at"):
        run(action, deadline - time.monotonic())
        if time.monotonic() >= deadline:
            return True
    return False


def has_refreshes_to_order() -> bool:
    """Say whether there are refreshes that are not left to the sweep yet."""
    items = BulkItem.objects.using(_alias()).filter(outcome=Outcome.WAITING)
    return items.filter(
        bulk_action__kind=Kind.REFRESH, bulk_action__finished_at__isnull=True
    ).exists()


def waits_for_refreshes() -> bool:
    """Say whether there is an order that waits for what the sweep makes of it."""
    rows = BulkAction.objects.using(_alias()).filter(finished_at__isnull=True)
    return rows.filter(kind=Kind.REFRESH).exists()


def run(action: BulkAction, seconds: float, *, at_once: bool = False) -> None:
    """
    Go on with an order, unless somebody else is at it.

    seconds: after which nothing new is begun. at_once: refresh right here, not in a sweep.
    """
    if not _take(action):
        return
    deadline = time.monotonic() + seconds
    if action.kind == Kind.REFRESH and not at_once:
        _make_due(action, deadline)
        _look_after(action, deadline)
    else:
        _do_each(action, deadline)
    _conclude(action)


def _take(action: BulkAction) -> bool:
    free = Q(busy_until__isnull=True) | Q(busy_until__lt=DatabaseNow())
    rows = _row(action).filter(free, finished_at__isnull=True)
    return bool(rows.update(busy_until=DatabaseNow() + timedelta(seconds=BUSY_SECONDS)))


def _conclude(action: BulkAction) -> None:
    open_items = _items(action).filter(outcome__in=(Outcome.WAITING, Outcome.QUEUED))
    late = action.created_at < clock.utcnow() - PATIENCE
    if late or not open_items.exists():
        action.finished_at = clock.utcnow()
    _row(action).update(busy_until=None, finished_at=action.finished_at)


# One by one


def _do_each(action: BulkAction, deadline: float) -> None:
    waiting = _items(action).filter(outcome=Outcome.WAITING).order_by("pk")
    last = 0
    while batch := list(waiting.filter(pk__gt=last)[:BATCH_SIZE]):
        for item in batch:
            if time.monotonic() >= deadline:
                return
            _do(action, item)
        last = batch[-1].pk


def _do(action: BulkAction, item: BulkItem) -> None:
    if action.kind == Kind.REFRESH:
        # Not in a transaction: a provider is called, and what it answers must not be lost.
        _mark(item, *_act(action, item.account_key))
        return
    with transaction.atomic(using=_alias()):
        # First, and so for whoever else is at it: nothing is done twice.
        if not _mark(item, Outcome.DONE):
            return
        outcome, reason = _act(action, item.account_key)
        if (outcome, reason) != (Outcome.DONE, ""):
            _mark(item, outcome, reason, was=Outcome.DONE)


def _mark(
    item: BulkItem, outcome: str, reason: str = "", was: str = Outcome.WAITING
) -> bool:
    rows = BulkItem.objects.using(_alias()).filter(pk=item.pk, outcome=was)
    return bool(rows.update(outcome=outcome, reason=reason[:64]))


def _act(action: BulkAction, key: Any) -> tuple[str, str]:
    rows = ConnectedAccount.objects.using(_alias())
    account = rows.select_related("provider", "owner").filter(pk=key).first()
    if account is None:
        return Outcome.FAILED, "account_deleted"
    if stands_in_the_way := obstacle(action.kind, account):
        return Outcome.SKIPPED, stands_in_the_way
    try:
        return _VERBS[action.kind](account, action.actor)
    except OAuthAccountsError as error:
        return Outcome.FAILED, error.code
    except ImproperlyConfigured:
        return Outcome.FAILED, "keys_missing"


def _refresh(account: ConnectedAccount, actor: Any) -> tuple[str, str]:
    account.refresh()
    return Outcome.DONE, ""


def _revoke(account: ConnectedAccount, actor: Any) -> tuple[str, str]:
    account.revoke(reason="by_admin", actor=actor)
    return Outcome.DONE, ""


def _require_reauth(account: ConnectedAccount, actor: Any) -> tuple[str, str]:
    return _changed(account.require_reauth(actor=actor), "refresh_in_progress")


def _disable(account: ConnectedAccount, actor: Any) -> tuple[str, str]:
    return _changed(account.disable(actor=actor), "changed_meanwhile")


def _enable(account: ConnectedAccount, actor: Any) -> tuple[str, str]:
    if not account.enable(actor=actor):
        return Outcome.FAILED, "changed_meanwhile"
    # Perhaps one that needs its owner still, which somebody should know.
    return Outcome.DONE, "" if account.status == Status.ACTIVE else account.status


def _changed(changed: bool, otherwise: str) -> tuple[str, str]:
    return (Outcome.DONE, "") if changed else (Outcome.FAILED, otherwise)


_VERBS: dict[str, Callable[[ConnectedAccount, Any], tuple[str, str]]] = {
    Kind.REFRESH: _refresh,
    Kind.REVOKE: _revoke,
    Kind.REQUIRE_REAUTH: _require_reauth,
    Kind.DISABLE: _disable,
    Kind.ENABLE: _enable,
}


# Left to the sweep


def _make_due(action: BulkAction, deadline: float) -> None:
    waiting = _items(action).filter(outcome=Outcome.WAITING).order_by("pk")
    while time.monotonic() < deadline and (batch := list(waiting[:INSERTED])):
        keys = [item.account_key for item in batch]
        with transaction.atomic(using=_alias()):
            left_out = _left_out(keys)
            due = [key for key in keys if key not in left_out]
            rows = _accounts(due).filter(
                status=Status.ACTIVE, refresh_token__isnull=False
            )
            rows.update(refresh_due_at=DatabaseNow())
            _note(batch, dict.fromkeys(due, (str(Outcome.QUEUED), "")) | left_out)


def _left_out(keys: list[Any]) -> dict[Any, tuple[str, str]]:
    """Return what becomes of accounts that the sweep is not asked to refresh."""
    columns = ("pk", "status", "provider", token_state())
    found = {row[0]: row[1:] for row in _accounts(keys).values_list(*columns)}
    providers = {provider for _status, provider, _token in found.values()}
    closed = closed_providers(providers, _alias(), waits=True)
    left_out = {}
    for key in keys:
        if key not in found:
            left_out[key] = (str(Outcome.FAILED), "account_deleted")
            continue
        status, provider, token = found[key]
        code = own_obstacle(Kind.REFRESH, status, token) or closed.get(provider)
        if code:
            left_out[key] = (str(Outcome.SKIPPED), code)
    return left_out


def _look_after(action: BulkAction, deadline: float) -> None:
    """Note what became of refreshes that were left to the sweep."""
    last, queued = 0, _items(action).filter(outcome=Outcome.QUEUED).order_by("pk")
    while time.monotonic() < deadline and (
        batch := list(queued.filter(pk__gt=last)[:INSERTED])
    ):
        last = batch[-1].pk
        _note(batch, refreshed(action, [item.account_key for item in batch]))


def refreshed(action: BulkAction, keys: list[Any]) -> dict[Any, tuple[str, str]]:
    """Return outcome and reason of each refresh by what the accounts say now."""
    found: dict[Any, tuple[str, str]] = dict.fromkeys(
        keys, (str(Outcome.FAILED), "account_deleted")
    )
    now = clock.utcnow()
    columns = (
        "status",
        "status_reason",
        "last_error",
        "failure_count",
        "refresh_due_at",
        "last_refreshed_at",
    )
    for account in _accounts(keys).only(*columns):
        at = account.last_refreshed_at
        due = account.refresh_due_at
        if at is not None and at >= action.created_at:
            found[account.pk] = (Outcome.DONE, "")
        elif account.status != Status.ACTIVE:
            found[account.pk] = (Outcome.FAILED, account.status_reason)
        elif account.failure_count and due is not None and due > now:
            found[account.pk] = (Outcome.FAILED, account.last_error)
        else:
            found[account.pk] = (Outcome.QUEUED, "")
    return found


def _note(batch: list[BulkItem], found: dict[Any, tuple[str, str]]) -> None:
    alike = defaultdict(list)
    for item in batch:
        outcome = found[item.account_key]
        if outcome != (item.outcome, item.reason):
            alike[outcome].append(item.pk)
    for (said, reason), keys in alike.items():
        rows = BulkItem.objects.using(_alias()).filter(pk__in=keys)
        rows.update(outcome=said, reason=reason)


def _alias() -> str:
    return router.db_for_write(ConnectedAccount)


def _row(action: BulkAction) -> QuerySet[BulkAction]:
    return BulkAction.objects.using(_alias()).filter(pk=action.pk)


def _items(action: BulkAction) -> QuerySet[BulkItem]:
    return BulkItem.objects.using(_alias()).filter(bulk_action=action)


def _accounts(keys: list[Any]) -> QuerySet[ConnectedAccount]:
    return ConnectedAccount.objects.using(_alias()).order_by().filter(pk__in=keys)
