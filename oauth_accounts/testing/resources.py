"""What the fake provider's access tokens open: the user's profile and an echoing API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oauth_accounts.testing.grants import AccessToken, GrantBook
from oauth_accounts.testing.wire import Answer, RecordedRequest


def _bearer(request: RecordedRequest, book: GrantBook) -> AccessToken | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return book.bearer(token) if scheme.lower() == "bearer" else None


def _refusal(request: RecordedRequest) -> Answer:
    # RFC 6750 section 3.1: no error code for a request that brought no token at all.
    challenge = 'Bearer realm="fake provider"'
    if "Authorization" in request.headers:
        challenge += ', error="invalid_token"'
    return Answer(
        status=401,
        json={"error": "invalid_token"},
        headers={"WWW-Authenticate": challenge},
    )


def answer_userinfo(
    request: RecordedRequest,
    book: GrantBook,
    profiles: Mapping[str, Mapping[str, Any]],
) -> Answer:
    """Return the claims about the token's user; profiles, by subject, override them."""
    token = _bearer(request, book)
    if token is None:
        return _refusal(request)
    subject = token.grant.subject
    claims: dict[str, Any] = {
        "sub": subject,
        "email": f"{subject}@provider.example",
        "name": subject.title(),
    }
    return Answer(json=claims | dict(profiles.get(subject, {})))


def answer_api(request: RecordedRequest, book: GrantBook) -> Answer:
    """Return what was asked and on whose behalf, as JSON."""
    token = _bearer(request, book)
    if token is None:
        return _refusal(request)
    return Answer(
        json={
            "subject": token.grant.subject,
            "scopes": list(token.scopes),
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "body": request.body.decode(errors="replace"),
        }
    )
