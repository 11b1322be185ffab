"""What a provider answered, and what its errors mean to the caller."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from http import HTTPStatus
from typing import Any

from oauth_accounts.clock import utcnow
from oauth_accounts.exceptions import (
    ProviderMisconfigured,
    ProviderUnavailable,
    ReauthRequired,
    TokenError,
)
from oauth_accounts.protocol.dialects import translate

RETRY_AFTER_MIN = 1
RETRY_AFTER_MAX = 86_400
_MAX_HEADER = 64

# As long as the longest subject, which must stay exact, and quick to make an int of.
_MAX_DIGITS = 255

# RFC 6749 section 5.2, RFC 6750 section 3.1: the code decides, whatever the status.
_DECISIVE: dict[str, type[TokenError]] = {
    "invalid_grant": ReauthRequired,
    "invalid_client": ProviderMisconfigured,
    "unauthorized_client": ProviderMisconfigured,
    "invalid_scope": ProviderMisconfigured,
    "invalid_request": ProviderMisconfigured,
    "unsupported_grant_type": ProviderMisconfigured,
}
_TEMPORARY = frozenset({"temporarily_unavailable", "server_error"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    """HTTP status."""
    body: bytes = field(repr=False)
    """At most as long as the call allowed; may hold tokens."""
    sent_at: datetime
    """The moment before the request was sent, UTC."""
    retry_after: int | None = None
    """Seconds, from the Retry-After header."""


def read_object(body: bytes, *, strict: bool = False) -> dict[str, Any] | None:
    """
    Read a JSON object, or return None when the bytes are not exactly one.

    NaN and infinities become None, integers too long to convert become an infinite
    float. An object that names a member twice is refused: readers disagree about which
    one counts. strict: so are those with such an object inside.
    """
    ambiguous: list[dict[str, Any]] = []
    try:
        document = json.loads(
            body.decode("utf-8-sig"),
            object_pairs_hook=partial(_from_pairs, ambiguous),
            parse_int=_to_int,
            parse_constant=lambda name: None,
        )
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or (strict and ambiguous):
        return None
    return None if any(one is document for one in ambiguous) else document


def _from_pairs(
    ambiguous: list[dict[str, Any]], pairs: list[tuple[str, Any]]
) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        ambiguous.append(result)
    return result


def _to_int(digits: str) -> int | float:
    # int() of a very long literal is slow, and raises beyond 4300 digits. An int to
    # stand for all of them would be one subject for different people.
    if len(digits) > _MAX_DIGITS:
        return -math.inf if digits.startswith("-") else math.inf
    return int(digits)


def failure_of(answer: Answer, *, of_tokens: bool = False) -> TokenError | None:
    """
    Return the error that an answer stands for, or None for a success.

    of_tokens: the token endpoint gave it, where providers have codes of their own.
    """
    if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
        return ProviderMisconfigured("redirect_refused")
    said, code = _codes_of(answer, of_tokens=of_tokens)
    if code in _DECISIVE:
        return _DECISIVE[code](code, provider_code=said)
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        reason = "rate_limited"
    elif code in _TEMPORARY:
        reason = code
    elif answer.status == HTTPStatus.UNAUTHORIZED:
        # RFC 6749 section 5.2: 401 at the token endpoint is about the client.
        return ProviderMisconfigured("invalid_client", provider_code=said)
    elif code is not None:
        reason = "unknown_error"
    elif answer.status == HTTPStatus.OK:
        return None
    else:
        reason = "server_error"
    return ProviderUnavailable(
        reason, retry_after=answer.retry_after, provider_code=said
    )


def _codes_of(answer: Answer, *, of_tokens: bool) -> tuple[str | None, str | None]:
    """Return the provider's own code, and what it means."""
    document = read_object(answer.body) or {}
    said = _error_of(document)
    if not of_tokens or (said is None and document.get("access_token")):
        return said, said
    code = translate(document, said)
    return said or code, code


def error_member(answer: Answer) -> str | None:
    """Return the `error` of a JSON answer, "unknown" for one that is no string."""
    return _error_of(read_object(answer.body) or {})


def _error_of(document: Mapping[str, Any]) -> str | None:
    error = document.get("error")
    # Some providers send null, "" or false beside a token to say that all is well.
    if error is None or error == "" or error is False:
        return None
    return error if isinstance(error, str) else "unknown"


def parse_retry_after(value: str | None, date: str | None = None) -> int | None:
    """
    Read a Retry-After header (RFC 9110 section 10.2.3), clamped to one day.

    date: the answer's Date header. A moment is counted from it, so that it means the same
        to workers whose clocks differ.

    Returns seconds, or None when there is nothing to rely on.
    """
    if value is None or len(value) > _MAX_HEADER:
        return None
    is_number = re.fullmatch(r"[0-9]+", value)
    seconds = int(value) if is_number else _seconds_between(date, value)
    if seconds < 0:
        return None
    return min(max(seconds, RETRY_AFTER_MIN), RETRY_AFTER_MAX)


def _seconds_between(start: str | None, end: str) -> int:
    until = _moment(end)
    if until is None:
        return -1
    since = _moment(start) if start and len(start) <= _MAX_HEADER else None
    return int((until - (since or utcnow())).total_seconds())


def _moment(date: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
