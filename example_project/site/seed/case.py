"""What a case is: one account in one state, counted from now."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from example_project.site import logins

MINUTES, HOURS, DAYS = (timedelta(**{unit: 1}) for unit in ("minutes", "hours", "days"))
MEMBER = logins.MEMBER
# Out of the reach of a worker that runs beside: a refresh would end the state.
LATER = 20 * HOURS


@dataclass(frozen=True, kw_only=True)
class Case:
    """
    An account in one state.

    key: unique; its primary key follows from it. owner: user name, None for the application.
    uid: at the provider; the label unless given. age: since the connection. life: of the
    access token, counted from now; None for one whose end is unknown. due: until the refresh,
    None for none. refresh: whether there is a refresh token. columns: further ones; spans of
    time are counted from now. outcome: of its revocation. notice: what
    became of the mail about it. happened: kind and reason of events,
    oldest first, after the connection.
    """

    key: str
    service: str
    label: str
    owner: str | None = MEMBER
    uid: str = ""
    status: str = "active"
    reason: str = ""
    age: timedelta = 40 * DAYS
    life: timedelta | None = 50 * MINUTES
    due: timedelta | None = None
    refresh: bool = True
    columns: dict[str, Any] = field(default_factory=dict)
    outcome: str = ""
    notice: str = ""
    happened: tuple[tuple[str, str], ...] = ()
