"""JSON documents that a provider publishes: its metadata and its keys."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import requests

from oauth_accounts.protocol.answers import read_object
from oauth_accounts.protocol.transport import BoundedSession, call

MAX_DOCUMENT = 524_288


def fetch_document(url: str) -> dict[str, Any] | None:
    """
    Return the JSON object at a URL, or None when something else is there.

    Raises ProviderMisconfigured when the URL or its host is refused, ProviderUnavailable
    when no complete answer of at most 512 kB came.
    """
    request = requests.Request("GET", url, headers={"Accept": "application/json"})
    answer = call(BoundedSession(), request, max_body=MAX_DOCUMENT)
    return (
        read_object(answer.body, strict=True)
        if answer.status == HTTPStatus.OK
        else None
    )
