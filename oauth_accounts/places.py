"""Where the stored values of a provider and its accounts were sealed for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet

from oauth_accounts import fields
from oauth_accounts import lease as leases
from oauth_accounts.exceptions import TokenUndecryptable
from oauth_accounts.fields import SEALED_FIELDS, Secret
from oauth_accounts.models import (
    ConnectedAccount,
    PendingRevocation,
    Provider,
    UnreadAnswer,
)

BATCH_SIZE = 200


class Binding(NamedTuple):
    """What secrets and tokens are tied to."""

    iss: str
    """The issuer."""

    te: str
    """Origin of the token endpoint."""


class Displaced(Exception):
    """A value was sealed for another row or column."""


@dataclass(kw_only=True, slots=True)
class Survey:
    """Where the stored values of a provider were sealed for, in rows."""

    accounts: Counter[Binding] = field(default_factory=Counter)
    """Connected accounts."""

    others: Counter[Binding] = field(default_factory=Counter)
    """Revocations that wait, and answers that could not be read."""

    unreadable: int = 0
    """No key opens them, or they were moved here."""

    def bindings(self) -> list[Binding]:
        """Return all that were found, those of most rows first."""
        found = self.accounts + self.others
        return [binding for binding, _count in found.most_common()]


def binding_of(provider: Provider) -> Binding:
    """Return what new tokens of a provider are tied to."""
    return Binding(**provider.binding())


def count(provider: Provider) -> int:
    """Return how many rows there are to look at."""
    return sum(table.rows.count() for table in tables(provider))


def survey(provider: Provider, progress: Callable[[int], None]) -> Survey:
    """Decrypt everything of a provider and count where it was sealed for."""
    found, done = Survey(), 0
    for table in tables(provider):
        counts = found.accounts if table.is_of_accounts else found.others
        for batch in table.batches():
            for row in batch:
                try:
                    places = {place for _, place, _ in opened(row, table.names)}
                except (TokenUndecryptable, Displaced):
                    found.unreadable += 1
                else:
                    counts.update(places)
            done += len(batch)
            progress(done)
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Rows with values that are tied to the provider."""

    provider: Provider
    """As it is now."""

    rows: QuerySet[Any]
    """All of them."""

    names: tuple[str, ...]
    """Of the sealed columns."""

    fence: Callable[[Any], Q]
    """Condition under which a row may be written as it was read."""

    @property
    def is_of_accounts(self) -> bool:
        return self.rows.model is ConnectedAccount

    def batches(self) -> Iterator[list[Any]]:
        last: Any = None
        while True:
            after = self.rows if last is None else self.rows.filter(pk__gt=last)
            batch = self.read(after.order_by("pk")[:BATCH_SIZE])
            if not batch:
                return
            yield batch
            last = batch[-1].pk

    def read(self, rows: Iterable[Any]) -> list[Any]:
        """Read rows, which need not ask for their provider then."""
        batch = list(rows)
        for row in batch:
            owner = row.account if isinstance(row, UnreadAnswer) else row
            owner.provider = self.provider
        return batch


def tables(provider: Provider) -> list[Table]:
    alias = provider.write_alias
    accounts = ConnectedAccount.objects.using(alias).filter(provider=provider)
    waiting = PendingRevocation.objects.using(alias).filter(
        provider=provider, status=PendingRevocation.Status.PENDING
    )
    unread = UnreadAnswer.objects.using(alias).filter(account__provider=provider)
    return [
        Table(
            provider=provider,
            rows=accounts.exclude(status=ConnectedAccount.Status.REVOKED),
            names=SEALED_FIELDS,
            fence=lambda row: (
                leases.free() & Q(generation=row.generation, key_id=row.key_id)
            ),
        ),
        Table(
            provider=provider,
            rows=waiting,
            names=("access_token", "refresh_token"),
            fence=lambda row: leases.free(),
        ),
        Table(
            provider=provider,
            rows=unread.select_related("account"),
            names=("body",),
            fence=lambda row: Q(),
        ),
    ]


def opened(row: Any, names: Iterable[str]) -> Iterator[tuple[str, Binding, Secret]]:
    """
    Yield name, place and text of the columns that hold something.

    Raises TokenUndecryptable, and Displaced for what belongs to another row or column.
    """
    for name in names:
        sealed = getattr(row, name)
        if sealed is None:
            continue
        place, secret = fields.open_anywhere(sealed)
        binding = Binding(iss=place.pop("iss", ""), te=place.pop("te", ""))
        if {**place, **binding._asdict()} != {
            **row.sealing_context(name),
            **binding._asdict(),
        }:
            raise Displaced
        yield name, binding, secret
