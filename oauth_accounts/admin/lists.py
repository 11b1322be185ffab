"""Lists that answer whatever an address says, and answer it fast."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG, ChangeList
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.formats import localize
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from oauth_accounts.admin.paging import BoundedPaginator

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin

NUL = "\0"
MISUNDERSTOOD = _(
    "A filter in the address of this page is not one of those below, so all are shown."
)
UNKNOWN_ROWS = _("What was selected is not in this list. Nothing was done.")


class CheckedList(_ModelAdmin):
    """
    A list that takes from its address what it offers itself, and nothing else.

    linked_by: lookups that pages link with, besides the filters at the side.
    """

    linked_by: ClassVar[tuple[str, ...]] = ()

    def lookup_allowed(
        self, lookup: str, value: Any, request: HttpRequest | None = None
    ) -> bool:
        """Take the lookups of the filters only: patterns could be slow, or broken."""
        return lookup in self.linked_by or lookup in set(_lookups(self.list_filter))

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        for name, values in request.GET.lists():
            # PostgreSQL knows no text with it, and says so as late as in the query.
            if any(NUL in text for text in (name, *values)):
                raise IncorrectLookupParameters
        return super().get_changelist_instance(request)

    def changelist_view(
        self, request: HttpRequest, extra_context: Any = None
    ) -> HttpResponse:
        if ERROR_FLAG in request.GET:
            self.message_user(request, MISUNDERSTOOD, messages.WARNING)
            given = request.GET.copy()
            del given[ERROR_FLAG]
            request.GET = given  # type: ignore[assignment]
        if not self._are_keys(request.POST.getlist(ACTION_CHECKBOX_NAME)):
            self.message_user(request, UNKNOWN_ROWS, messages.WARNING)
            return HttpResponseRedirect(request.get_full_path())
        return super().changelist_view(request, extra_context)

    def _are_keys(self, selected: Iterable[str]) -> bool:
        to_key = self.opts.pk.to_python
        try:
            return all(to_key(key) is not None for key in selected)
        except ValidationError:
            return False


class BoundedChangeList(ChangeList):
    """Says of a table that was not counted to its end that there is more."""

    paginator: Any
    full_result_count: int | None

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if self.paginator.is_bounded:
            # Then the search form gives no number.
            self.full_result_count = self.result_count

    @property
    def in_words(self) -> Any:
        """This list for Django's own templates, with words in the place of the number."""
        if not self.paginator.is_bounded:
            return self
        said: Any = copy(self)
        said.result_count = gettext("More than %(count)s") % {
            "count": localize(self.result_count, use_l10n=True)
        }
        return said


class LargeList(CheckedList):
    """A list that is never counted as a whole."""

    paginator = BoundedPaginator
    show_full_result_count = False
    # Counts beside the filters, each of them over the whole table.
    show_facets = ShowFacets.NEVER
    list_per_page = 50

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return BoundedChangeList


def _lookups(filters: Any) -> Iterable[str]:
    for one in filters:
        if isinstance(one, str):
            yield from (f"{one}__exact", f"{one}__id__exact", f"{one}__isnull")
        else:
            yield one.parameter_name
