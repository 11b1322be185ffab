"""
Glue for sentry-sdk, which copies each request's address and cookies before Django sees them.

    sentry_sdk.init(..., before_send=scrub, before_send_transaction=scrub)
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

# What a provider sends back with (RFC 6749 section 4.1.2), and this app's cookie.
CALLBACK_PARAMETERS = {"code", "state"}
COOKIES = {"oauth_accounts", "__Host-oauth_accounts"}
FILTERED = "[Filtered]"


def scrub(event: Any, hint: Any = None) -> Any:
    """
    Take code, state and the cookie of an authorisation out of an event, and return it.

    Any query with a code or a state is emptied: other packages' callbacks get them too.
    """
    request = event.get("request")
    if not isinstance(request, dict):
        return event
    names = {name for name, _value in parse_qsl(str(request.get("query_string")))}
    if names & CALLBACK_PARAMETERS:
        request["query_string"] = FILTERED
    cookies = request.get("cookies")
    if isinstance(cookies, dict):
        request["cookies"] = {
            name: FILTERED if name in COOKIES else value
            for name, value in cookies.items()
        }
    return event
