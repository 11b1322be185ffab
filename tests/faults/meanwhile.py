"""What somebody else does while the provider is at work on a request."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

from django.db import connections

from oauth_accounts import sweep
from oauth_accounts.exceptions import TokenError
from oauth_accounts.models import ConnectedAccount
from oauth_accounts.testing.server import FakeProvider, RecordedRequest

PATHS = ("caller", "sweep")


def during(
    server: FakeProvider, account: ConnectedAccount, action: Callable[[], Any]
) -> None:
    """
    Do something between the request for an account and its answer.

    The requests of other accounts are answered after that too, so that a sweep writes
    all the answers together.
    """
    token = account.reveal("refresh_token").get_value()
    done = threading.Event()

    def hook(request: RecordedRequest) -> None:
        if request.form["refresh_token"] != token:
            done.wait(10)
            return
        try:
            action()
        finally:
            done.set()
            connections.close_all()

    server.on_token_request = hook


def renew(path: str, account: ConnectedAccount) -> None:
    """Refresh an account as a caller who needs its token does, or as the sweep does."""
    if path == "sweep":
        sweep.run()
        return
    with contextlib.suppress(TokenError):
        ConnectedAccount.objects.get(pk=account.pk).refresh()
