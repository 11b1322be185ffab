"""Filters over connected accounts that read like sentences."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import F, Q, TextField, Value
from django.db.models.functions import Cast, StrIndex
from django.db.models.lookups import GreaterThan

if TYPE_CHECKING:
    from oauth_accounts.models.account import ConnectedAccount  # noqa: F401


def _exactly(text: str) -> Q:
    # Scopes are case-sensitive (RFC 6749 section 3.3). LIKE is not on SQLite, and INSTR
    # is not on MariaDB; each of them is on the other.
    position = StrIndex(F("_scopes_text"), Value(text))
    return Q(GreaterThan(position, 0), _scopes_text__contains=text)


class ConnectedAccountQuerySet(models.QuerySet["ConnectedAccount"]):
    def bulk_create(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> Any:
        accounts = list(objs)
        for account in accounts:
            account.complete()
            account.pin()
        created = super().bulk_create(accounts, *args, **kwargs)
        for account in accounts:
            account.remember()
        return created

    def for_owner(self, owner: Any) -> ConnectedAccountQuerySet:
        """Return the accounts of one owner; None means the application itself."""
        return self.filter(owner=owner)

    def provider(self, slug: str) -> ConnectedAccountQuerySet:
        """Return the accounts at the provider with this slug."""
        return self.filter(provider__slug=slug)

    def with_scopes(self, *scopes: str | Iterable[str]) -> ConnectedAccountQuerySet:
        """Return the accounts that are known to have been granted all the scopes."""
        # JSON containment does not exist on SQLite. A scope holds neither quote nor
        # backslash (RFC 6749 section 3.3), so its quoted text is unambiguous.
        rows = self.annotate(_scopes_text=Cast("scopes", TextField()))
        for scope in scopes:
            for name in [scope] if isinstance(scope, str) else scope:
                rows = rows.filter(_exactly(f'"{name}"'))
        return rows

    def usable(self) -> ConnectedAccountQuerySet:
        """Return the accounts whose token can be asked for."""
        return self.filter(status="active", provider__enabled=True)

    def need_attention(self) -> ConnectedAccountQuerySet:
        """Return the accounts that their owner has to connect again."""
        return self.filter(Q(status="needs_reauth"))
