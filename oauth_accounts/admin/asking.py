"""How often somebody may have this server ask others: enough for work, and for no scan."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils.translation import gettext_lazy as _

from oauth_accounts import clock
from oauth_accounts.models import AccountEvent, Provider

MOST = 10
WINDOW = timedelta(minutes=10)

TOO_OFTEN = _(
    "You have had services asked ten times in ten minutes, which is as often as that is "
    "possible. Ten minutes after the first of them you can go on."
)


def may_ask(user: Any, reason: str, provider: Provider | None = None) -> bool:
    """
    Say whether a user may have a provider asked once more, and record that it is.

    reason: what for. provider: the one that is asked, None for one that is yet to be made.
    """
    asked = AccountEvent.objects.filter(
        kind=AccountEvent.Kind.PROVIDER_ASKED,
        actor=user,
        created_at__gt=clock.utcnow() - WINDOW,
    )
    if asked.count() >= MOST:
        return False
    AccountEvent.objects.create(
        kind=AccountEvent.Kind.PROVIDER_ASKED,
        reason=reason,
        provider=provider,
        actor=user,
    )
    return True
