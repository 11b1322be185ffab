"""Search that an index answers: whole words of the owner, whole IDs, beginnings of labels."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import connections
from django.db.models import CharField, Model, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from oauth_accounts.models import ConnectedAccount

# Owners or accounts that one word may stand for; more is no answer.
MATCHES = 100
LONGEST = 255

HELP = _(
    "Exact: the owner's user name or e-mail address, the ID at the provider, the ID of "
    "the account. By its beginning: the label."
)


def accounts(rows: QuerySet[Any], term: str) -> QuerySet[Any]:
    """Return those of the accounts that the term stands for; "" stands for all."""
    term = term.strip()
    if not term:
        return rows
    if len(term) > LONGEST:
        return rows.none()
    found = Q(uid=term) | _labelled(rows, term)
    if (key := _uuid(term)) is not None:
        found |= Q(pk=key)
    # Joined, the table of owners would keep the database from using its indexes.
    if owners := _owners(term):
        found |= Q(owner__in=owners)
    return rows.filter(found)


def account_keys(term: str) -> list[Any]:
    """Return the keys of accounts that the term stands for, of deleted ones too."""
    rows = accounts(ConnectedAccount.objects.order_by(), term)
    keys = list(rows.values_list("pk", flat=True)[:MATCHES])
    given = _uuid(term.strip())
    return keys if given is None else [given, *keys]


def _labelled(rows: QuerySet[Any], term: str) -> Q:
    if connections[rows.db].vendor == "mysql":
        # With BINARY, as Django compares there otherwise, no index is used.
        return Q(label__istartswith=term)
    return Q(label__startswith=term) | Q(label__startswith=term.lower())


def _owners(term: str) -> list[Any]:
    model: Any = ConnectedAccount._meta.get_field("owner").related_model
    names = owner_fields(model, term)
    if not names:
        return []
    either = Q(*((name, term) for name in names), _connector=Q.OR)
    rows = model._base_manager.filter(either).order_by()
    return list(rows.values_list("pk", flat=True)[:MATCHES])


def owner_fields(model: type[Model], term: str) -> list[str]:
    """Return the columns of an owner that a term may be the value of."""
    fields: tuple[Any, ...] = model._meta.concrete_fields
    columns = [f for f in fields if isinstance(f, CharField)]
    wanted = {getattr(model, "USERNAME_FIELD", None)}
    # Without an index on it, that is a look at every owner: for whole addresses only.
    if all(term.rpartition("@")):
        wanted.add(getattr(model, "EMAIL_FIELD", None))
    indexed = {f.name for f in fields if f.unique or f.db_index}
    return [f.name for f in columns if f.name in indexed | wanted]


def _uuid(term: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(term)
    except ValueError:
        return None
