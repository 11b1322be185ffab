"""Writes the demo data anew; what was there of it before goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.fernet import Fernet
from django.db import transaction

from example_project.site.seed import crowd, history, outbox, people, services
from example_project.site.seed.case import HOURS, Case
from example_project.site.seed.cases import CASES
from example_project.site.seed.keys import account_key
from oauth_accounts import clock, fields
from oauth_accounts.models import (
    AccountEvent,
    AuthorizationAttempt,
    ConnectedAccount,
    Health,
    Notice,
    PendingRevocation,
    Provider,
    RefreshStatistic,
)
from oauth_accounts.models.account_columns import ENGINE_FIELDS

BATCH = 50


@dataclass(frozen=True, kw_only=True)
class Planted:
    """How many rows were written."""

    providers: int
    accounts: int
    events: int
    statistics: int


def total() -> int:
    """Return how many accounts there will be."""
    return len(CASES) + crowd.SIZE


@transaction.atomic
def plant(progress: Callable[[int], None] = lambda done: None) -> Planted:
    """
    Write the demo data, in one transaction.

    progress: called with the number of accounts written so far.
    """
    now = clock.utcnow()
    users = people.plant()
    providers = services.plant(now)
    _clear(list(providers.values()))
    cases = (*CASES, *crowd.cases())
    accounts = [_account(case, providers[case.service], users, now) for case in cases]
    for start in range(0, len(accounts), BATCH):
        ConnectedAccount.objects.bulk_create(accounts[start : start + BATCH])
        progress(min(start + BATCH, len(accounts)))
    events = _events(cases, accounts, providers, now)
    rows = list(history.statistics(providers, now))
    AccountEvent.objects.bulk_create(events)
    RefreshStatistic.objects.bulk_create(rows)
    _plant_outbox(cases, accounts, now)
    # As where beat runs: each sweep notes it.
    swept = now - timedelta(seconds=40)
    Health.objects.update_or_create(pk=1, defaults={"swept_at": swept})
    attempts = outbox.attempts(providers, list(users.values()), now)
    AuthorizationAttempt.objects.bulk_create(attempts)
    return Planted(
        providers=len(providers),
        accounts=len(accounts),
        events=len(events),
        statistics=len(rows),
    )


def _clear(providers: list[Provider]) -> None:
    """Remove what the made-up providers have; what that leaves behind goes last."""
    for model in (
        AuthorizationAttempt,
        ConnectedAccount,
        PendingRevocation,
        RefreshStatistic,
        AccountEvent,
        Notice,
    ):
        model._default_manager.filter(provider__in=providers).delete()


def _account(
    case: Case, provider: Provider, users: dict[str, Any], now: datetime
) -> ConnectedAccount:
    owner = users[case.owner] if case.owner else None
    account = ConnectedAccount(
        pk=account_key(case.key),
        provider=provider,
        owner=owner,
        connected_by=owner or next(iter(users.values())),
        uid=case.uid or case.label,
        label=case.label,
        profile={"name": case.label},
        requested_scopes=provider.scopes,
        created_at=now - case.age,
    )
    for name, value in _columns(case, account, now).items():
        setattr(account, name, value)
    account.complete()
    return account


def _columns(case: Case, account: ConnectedAccount, now: datetime) -> dict[str, Any]:
    ends = None if case.life is None else now + case.life
    issued = now - 0.2 * HOURS if ends is None else min(now, ends - HOURS)
    columns: dict[str, Any] = {
        "scopes": account.provider.scopes,
        "issued_at": issued,
        "expires_at": ends,
        "last_refreshed_at": max(issued, account.created_at),
        "status": case.status,
        "status_reason": case.reason,
        "refresh_due_at": None if case.due is None else now + case.due,
        "generation": 1 + case.age.days * 24,
        **_tokens(case, account),
    }
    for name, value in case.columns.items():
        columns[name] = now + value if isinstance(value, timedelta) else value
    assert columns.keys() <= set(ENGINE_FIELDS)
    return columns


def _tokens(case: Case, account: ConnectedAccount) -> dict[str, Any]:
    if case.status == "revoked":
        return {}
    if case.key == "undecryptable":
        lost = Fernet(Fernet.generate_key())
        return {
            "access_token": fields.Sealed(lost.encrypt(b"a token")),
            "refresh_token": fields.Sealed(lost.encrypt(b"another")),
            "key_id": "5eed1842",
        }
    names = ["access_token", *(["refresh_token"] if case.refresh else [])]
    return {
        name: fields.seal(f"made-up-{case.key}", account.sealing_context(name))
        for name in names
    }


def _events(
    cases: tuple[Case, ...],
    accounts: list[ConnectedAccount],
    providers: dict[str, Provider],
    now: datetime,
) -> list[AccountEvent]:
    of_accounts = (
        event
        for case, account in zip(cases, accounts, strict=True)
        for event in history.events_of(account, case.happened, now)
    )
    return [*of_accounts, *history.events_of_providers(providers, now)]


def _plant_outbox(
    cases: tuple[Case, ...], accounts: list[ConnectedAccount], now: datetime
) -> None:
    both = list(zip(cases, accounts, strict=True))
    PendingRevocation.objects.bulk_create(
        outbox.revocation(account, case.outcome, now)
        for case, account in both
        if case.outcome
    )
    Notice.objects.bulk_create(
        outbox.notice(account, case.notice, case.happened[-1][0], now)
        for case, account in both
        if case.notice
    )
