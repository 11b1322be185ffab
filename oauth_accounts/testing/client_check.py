"""How the fake provider recognises the client (RFC 6749 section 2.3.1)."""

from __future__ import annotations

import base64
import binascii
from typing import Literal
from urllib.parse import unquote_plus

from oauth_accounts.testing.grants import Refusal
from oauth_accounts.testing.wire import RecordedRequest

ClientAuth = Literal["client_secret_basic", "client_secret_post", "none"]


def authenticated_form(
    request: RecordedRequest, client_id: str, client_secret: str, method: ClientAuth
) -> dict[str, str]:
    """
    Return the form of a request whose client has proved who it is.

    method: the only one that is taken, as real providers register one per client.
    Raises Refusal.
    """
    # RFC 6749 section 3.2 and RFC 7009 section 2.1.
    if request.method != "POST":
        raise Refusal("invalid_request", status=405, reason="POST only")
    form = request.form
    # RFC 6749 section 3.2: no parameter more than once, and none in the URL.
    if len(form) != len(request.form_pairs) or request.query:
        raise Refusal("invalid_request", reason="repeated parameter, or one in the URL")
    header = request.headers.get("Authorization")
    if header is not None and "client_secret" in form:
        raise Refusal("invalid_request", reason="two ways of client authentication")
    basic_id, basic_secret = _basic(header)
    found = (basic_secret, form.get("client_secret"))
    expected = {
        "client_secret_basic": (client_secret, None),
        "client_secret_post": (None, client_secret),
        "none": (None, None),
    }
    names = {basic_id, form.get("client_id")} - {None}
    if names != {client_id} or found != expected[method]:
        raise Refusal("invalid_client", status=401)
    return form


def _basic(header: str | None) -> tuple[str | None, str | None]:
    """Return id and secret of HTTP Basic, form-urldecoded, as far as they are there."""
    scheme, _, encoded = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return None, None
    try:
        text = base64.b64decode(encoded, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        # Raw UTF-8 or Latin-1 is what form-urlencoding is there to prevent.
        raise Refusal("invalid_client", status=401) from None
    client_id, _, secret = text.partition(":")
    return unquote_plus(client_id), unquote_plus(secret)
