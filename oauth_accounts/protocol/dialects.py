"""
What providers say at their token endpoint instead of the codes of RFC 6749 section 5.2.

Without these, a dead grant would be asked for again without end, or, where a provider calls
it the client's fault, would pause all accounts. Only what a provider documents, or what was
seen in an answer of it, stands here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Compared without regard to case.
CODES = {
    # GitHub, with status 200
    "bad_refresh_token": "invalid_grant",
    "bad_verification_code": "invalid_grant",
    "incorrect_client_credentials": "invalid_client",
    # Slack, with status 200
    "invalid_refresh_token": "invalid_grant",
    "bad_client_secret": "invalid_client",
    "invalid_client_id": "invalid_client",
    "internal_error": "server_error",
    "fatal_error": "server_error",
    # Zoho, with status 200
    "invalid_code": "invalid_grant",
    # EVE Online; the code of RFC 6750 for a token, of which there is only one here
    "invalid_token": "invalid_grant",
    # Microsoft and OpenID Connect: nothing goes on without the user
    "interaction_required": "invalid_grant",
    "consent_required": "invalid_grant",
    "login_required": "invalid_grant",
    "bad_token": "invalid_grant",
}

# Code and text, where the code alone would blame the client or the request.
SENTENCES = {
    # Atlassian, with status 403
    ("unauthorized_client", "refresh_token is invalid"): "invalid_grant",
    # league/oauth2-server before 8, and so many a PHP site, with status 401
    ("invalid_request", "the refresh token is invalid."): "invalid_grant",
    # Square, whose `type` is no code of OAuth
    ("service.not_authorized", "invalid refresh token"): "invalid_grant",
}

# Read in answers that have no `error`, for exactly these values.
OTHER_MEMBERS = {
    # HubSpot
    "status": {"bad_refresh_token": "invalid_grant"},
    # Supabase
    "error_code": {"refresh_token_not_found": "invalid_grant"},
}
_TEXTS = ("error_description", "message")


def translate(document: Mapping[str, Any], code: str | None) -> str | None:
    """
    Return the registered code that an answer means, or the code itself.

    document: the answer's JSON object. code: its `error`, or None when it has none.
    """
    if code is None:
        return _without_code(document)
    word = code.casefold()
    # EVE Online has sent "invalid_grant: Token is expired or invalid."
    bare = code.partition(":")[0]
    return _by_sentence(word, document) or CODES.get(word, bare)


def _without_code(document: Mapping[str, Any]) -> str | None:
    for member, meanings in OTHER_MEMBERS.items():
        value = document.get(member)
        if isinstance(value, str) and value.casefold() in meanings:
            return meanings[value.casefold()]
    kind = document.get("type")
    return _by_sentence(kind, document) if isinstance(kind, str) else None


def _by_sentence(code: str, document: Mapping[str, Any]) -> str | None:
    texts = (document.get(member) for member in _TEXTS)
    meanings = (
        SENTENCES.get((code, text.casefold()))
        for text in texts
        if isinstance(text, str)
    )
    return next(filter(None, meanings), None)
