"""What comes of some work: its result, or an error that may come of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oauth_accounts.exceptions import OAuthAccountsError


def outcome(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Return what some work returns, or the error of ours that it raises."""
    try:
        return work(*args, **kwargs)
    except OAuthAccountsError as error:
        return error
