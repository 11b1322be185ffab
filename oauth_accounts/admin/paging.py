"""Pages of large tables: nothing is counted further than somebody would turn the pages."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.core.paginator import Page, Paginator

if TYPE_CHECKING:
    _Paginator = Paginator[Any]
else:
    _Paginator = Paginator

# Rows that are counted, and the furthest that pages go.
COUNTED = 5_000


class BoundedPaginator(_Paginator):
    """Counts up to a bound; beyond it, `is_bounded` says that there are more."""

    @cached_property
    def _found(self) -> int:
        rows: Any = self.object_list
        # Sorting is no part of counting.
        found: int = rows.order_by()[: COUNTED + 1].count()
        return found

    @cached_property
    def count(self) -> int:
        """Number of rows that the pages show."""
        return min(self._found, COUNTED)

    @property
    def is_bounded(self) -> bool:
        """Whether there are more rows than were counted."""
        return self._found > COUNTED

    def page(self, number: Any) -> Page[Any]:
        """Return a page; a late one finds its keys first, and reads no row on the way."""
        page = super().page(number)
        if page.number > 1:
            rows: Any = self.object_list
            first = (page.number - 1) * self.per_page
            keys = rows.values_list("pk", flat=True)[first : first + self.per_page]
            page.object_list = rows.filter(pk__in=list(keys))
        return page
