"""Secrets that somebody enters, out of sight before anything can quote the request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from oauth_accounts.fields import Secret
from oauth_accounts.forms import SECRET_FIELDS

# The inputs of a provider's page that nothing may quote.
ENTERED = tuple(f"new_{name}" for name in SECRET_FIELDS)


def mask_entered(request: Any, names: Iterable[str]) -> None:
    """
    Put a `Secret` in the place of what was entered; forms take it like text.

    names: of the inputs. Error mails and pages, and error trackers, show what was posted;
    only some of them know `sensitive_post_parameters`.
    """
    if request.method != "POST":
        return
    entered = request.POST.copy()
    for name in entered.keys() & names:
        secrets = [Secret(text) for text in entered.getlist(name)]
        entered.setlist(name, secrets)
    request.POST = entered
    if hasattr(request, "_body"):
        # Kept by Django for forms that are not multipart.
        request._body = b""
