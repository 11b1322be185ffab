"""How many accounts a provider has, and how their refreshes went: counted up to a bound."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import (
    BooleanField,
    Count,
    ExpressionWrapper,
    IntegerField,
    OuterRef,
    QuerySet,
    Subquery,
    Sum,
    Value,
)
from django.db.models.functions import Coalesce
from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext, pgettext

from oauth_accounts import clock, moving
from oauth_accounts.admin import badges
from oauth_accounts.models import ConnectedAccount, RefreshStatistic
from oauth_accounts.models.breaker import open_now

RECENT = timedelta(hours=24)


def with_tallies(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Add what the list shows, in one query whose cost the bound limits for each row."""
    bound = moving.MOST_COUNTED
    accounts = ConnectedAccount.objects.filter(provider=OuterRef("pk")).order_by()
    # Looked for before it is counted: a scan that stops at the bound. Neither reads more
    # than the index on the provider, or PostgreSQL expects so much that it compiles first.
    more = accounts.annotate(n=Value(bound + 1)).values("n")[bound : bound + 1]
    counted = accounts.values("provider_id").annotate(n=Count("*")).values("n")
    number = Coalesce(
        Subquery(more), Subquery(counted), Value(0), output_field=IntegerField()
    )
    annotated: QuerySet[Any] = rows.annotate(
        _accounts=number,
        _succeeded=_refreshes(result="success"),
        _refreshed=_refreshes(),
        _is_paused=ExpressionWrapper(open_now(), output_field=BooleanField()),
    )
    return annotated


def _refreshes(**conditions: str) -> Any:
    since = clock.utcnow() - RECENT
    rows = RefreshStatistic.objects.filter(
        provider=OuterRef("pk"), hour__gte=since, **conditions
    )
    total = rows.order_by().values("provider_id").annotate(n=Sum("count"))
    return Coalesce(Subquery(total.values("n")), 0, output_field=IntegerField())


def in_words(number: int) -> str:
    """Return a number that was counted up to the bound."""
    if number > moving.MOST_COUNTED:
        most = number_format(moving.MOST_COUNTED, force_grouping=True)
        return gettext("more than %(number)s") % {"number": most}
    return number_format(number, force_grouping=True)


def refreshes(provider: Any) -> str:
    """Say how the refreshes of the last 24 hours went, of a row `with_tallies`."""
    if not provider._refreshed:
        return pgettext("refreshes", "None")
    failed = provider._refreshed - provider._succeeded
    numbers = {
        "succeeded": number_format(provider._succeeded, force_grouping=True),
        "failed": number_format(failed, force_grouping=True),
    }
    if not failed:
        return gettext("%(succeeded)s succeeded") % numbers
    if not provider._succeeded:
        text = ngettext("%(failed)s failed", "All %(failed)s failed", failed)
        return badges.toned(badges.BAD, text % numbers)
    return gettext("%(succeeded)s succeeded, %(failed)s failed") % numbers
