"""
A provider that really moved: its secrets and tokens are sealed anew for where it is now.

Each batch is a transaction of its own, and what is done is seen in the rows themselves, so
a run that was killed is simply begun again. A row is written only while nobody has it in
hand, and only as it was read.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import F

from oauth_accounts import fields, keyring
from oauth_accounts.clock import DatabaseNow
from oauth_accounts.conf import LEASE_SECONDS
from oauth_accounts.exceptions import TokenUndecryptable
from oauth_accounts.fields import Sealed, Secret
from oauth_accounts.models import AccountEvent, ConnectedAccount, Provider
from oauth_accounts.places import Binding, Displaced, Table, binding_of, opened, tables

PROVIDER_SECRETS = ("client_secret", "previous_client_secret", "private_key")
# Who read the provider before it was settled has leased its account by then.
GRACE_SECONDS = 1.0
# A refresh that is under way ends within its lease.
PATIENCE_SECONDS = 2.0 * LEASE_SECONDS
PAUSE_SECONDS = 0.5


@dataclass(kw_only=True, slots=True)
class Moved:
    """What one run did, in rows."""

    sealed: int = 0
    """Sealed for the new place."""

    enabled: int = 0
    """Accounts that had been stopped because the provider changed."""

    left: Counter[Binding] = field(default_factory=Counter)
    """Sealed for a third place, and left as they are."""

    unreadable: int = 0
    """No key opens them, or they were moved here."""

    busy: int = 0
    """Somebody had them in hand all the time."""


def stored_secret(provider: Provider, name: str, *known: Binding) -> Secret | None:
    """
    Return a stored secret, where it opens and was entered for one of these places.

    name: of the column, which holds something. known: where the provider is and was.
    """
    try:
        [(_name, place, secret)] = opened(provider, [name])
    except (TokenUndecryptable, Displaced):
        return None
    return secret if place in known else None


def settle(
    provider: Provider, old: Binding, *, secret: Secret | None, reason: str
) -> list[str]:
    """
    Vouch for the addresses of a provider, and seal its secrets for them.

    old: where its secrets were entered for, if not here. secret: the client secret, as it
    was entered now; None for a client without one. reason: code for the audit.

    Return the names of the secrets that could not be read and stay as they are.
    """
    lost, names = [], list(PROVIDER_SECRETS)
    if secret is not None:
        provider.client_secret = secret
        names.remove("client_secret")
    for name in names:
        if getattr(provider, name) is None:
            continue
        text = stored_secret(provider, name, old, binding_of(provider))
        if text is None:
            lost.append(name)
        else:
            setattr(provider, name, text)
    provider.pin()
    with transaction.atomic(using=provider.write_alias):
        provider.save(update_fields=[*PROVIDER_SECRETS, "pinned_addresses"])
        provider.events.create(kind="provider_rebound", reason=reason)
        provider.resume(reason="provider_rebound")
    time.sleep(GRACE_SECONDS)
    return lost


def follow(provider: Provider, old: Binding, progress: Callable[[int], None]) -> Moved:
    """
    Seal what was sealed for the old place for where the provider is now.

    progress: called with the number of rows done so far. Rows that somebody holds are
    waited for, up to two leases.
    """
    run = _Run(provider, old)
    for table in tables(provider):
        for batch in table.batches():
            run.write(table, batch)
            progress(run.done)
        run.catch_up(table)
    waiting = provider.pending_revocations.filter(last_error="provider_changed")
    waiting.filter(due_at__isnull=False).update(due_at=DatabaseNow())
    return run.moved


class _Run:
    """One run over the tables. provider: where it is now. old: where it was."""

    def __init__(self, provider: Provider, old: Binding) -> None:
        self.provider, self.old, self.new = provider, old, binding_of(provider)
        self.moved = Moved()
        self.done = 0
        self._missed: list[Any] = []

    def write(self, table: Table, batch: Sequence[Any]) -> None:
        """Seal a batch anew, but for what somebody holds."""
        right = []
        with transaction.atomic(using=self.provider.write_alias):
            for row in batch:
                if (values := self._values(table, row)) is None:
                    continue
                if values and not self._update(table, row, values):
                    self._missed.append(row.pk)
                else:
                    right.append(row.pk)
            if table.is_of_accounts:
                self._enable(right)
        self.done += len(batch)

    def catch_up(self, table: Table) -> None:
        """Do what was held when its turn came."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._missed and time.monotonic() < deadline:
            time.sleep(PAUSE_SECONDS)
            keys, self._missed = self._missed, []
            self.write(table, table.read(table.rows.filter(pk__in=keys)))
        self.moved.busy += len(self._missed)
        self._missed = []

    def _values(self, table: Table, row: Any) -> dict[str, Sealed] | None:
        """Return the columns sealed anew; None for a row that has to be left."""
        try:
            found = list(opened(row, table.names))
        except (TokenUndecryptable, Displaced):
            self.moved.unreadable += 1
            return None
        places = {place for _name, place, _secret in found}
        if foreign := places - {self.old, self.new}:
            self.moved.left.update(foreign)
            return None
        if self.old == self.new or self.old not in places:
            return {}
        return {
            name: fields.seal(secret.get_value(), row.sealing_context(name))
            for name, _place, secret in found
        }

    def _update(self, table: Table, row: Any, values: dict[str, Any]) -> bool:
        if table.is_of_accounts:
            values = {**values, **_pin_anew(row), "key_id": keyring.current_key_id()}
        rows = type(row)._base_manager.using(self.provider.write_alias)
        written = rows.filter(table.fence(row), pk=row.pk).update(**values)
        self.moved.sealed += written
        return bool(written)

    def _enable(self, keys: Sequence[Any]) -> None:
        """Use the accounts again that were stopped because the provider changed."""
        accounts = ConnectedAccount.objects.using(self.provider.write_alias)
        stopped = accounts.filter(
            pk__in=keys,
            status=ConnectedAccount.Status.DISABLED,
            status_reason="provider_changed",
        )
        found = list(stopped.select_for_update().values_list("pk", flat=True))
        rows = accounts.filter(pk__in=found)
        # Those that needed their owners before still do. MariaDB assigns from the left.
        rows.exclude(reason_before="").update(
            status=ConnectedAccount.Status.NEEDS_REAUTH,
            status_reason=F("reason_before"),
            reason_before="",
        )
        rows.filter(status=ConnectedAccount.Status.DISABLED).update(
            status=ConnectedAccount.Status.ACTIVE,
            status_reason="",
            refresh_due_at=DatabaseNow(),
        )
        AccountEvent.objects.using(self.provider.write_alias).bulk_create(
            AccountEvent(
                kind=AccountEvent.Kind.ENABLED,
                reason="provider_rebound",
                provider=self.provider,
                account_id=key,
                account_key=key,
            )
            for key in found
        )
        self.moved.enabled += len(found)


def _pin_anew(account: ConnectedAccount) -> dict[str, Sealed]:
    """Bring the pin of an account's own address under the newest key, like its tokens."""
    sealed = account.pinned_api_base_url
    if sealed is None:
        return {}
    try:
        place, secret = fields.open_anywhere(sealed)
    except TokenUndecryptable:
        return {}
    return {"pinned_api_base_url": fields.seal(secret.get_value(), place)}
