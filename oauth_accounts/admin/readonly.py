"""Admin pages to look at: the columns shown are named, so that no sealed one slips in."""

from __future__ import annotations

from typing import Any

from django.db.models import Model, QuerySet
from django.http import HttpRequest

from oauth_accounts.admin.lists import LargeList
from oauth_accounts.fields import SealedTextField


class ReadOnlyAdmin(LargeList):
    """Rows that only the app itself writes. `fields` names what the page shows."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return without_secrets(super().get_queryset(request))


class RecordAdmin(ReadOnlyAdmin):
    """Rows that are evidence: nobody deletes them here."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def without_secrets(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Leave the sealed columns in the database."""
    return rows.defer(*sealed_columns(rows.model))


def sealed_columns(model: type[Model]) -> list[str]:
    """Return the names of a model's sealed columns."""
    fields = model._meta.concrete_fields
    return [field.name for field in fields if isinstance(field, SealedTextField)]
