"""One refresh as users of other libraries write it, on tables of those libraries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from benchmarks.peers.models import HandWrittenToken


def token_url(latency_ms: int) -> str:
    return f"{settings.STUB_URL}/{latency_ms}/token"


def fetch(refresh_token: str, latency_ms: int) -> dict[str, Any]:
    """Refresh with requests-oauthlib, as its documentation shows it."""
    session = OAuth2Session(
        settings.CLIENT_ID, token={"refresh_token": refresh_token, "expires_in": -30}
    )
    answer: dict[str, Any] = session.refresh_token(
        token_url(latency_ms),
        auth=HTTPBasicAuth(settings.CLIENT_ID, settings.CLIENT_SECRET),
    )
    return answer


def expiry(token: dict[str, Any]) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=token["expires_in"])


def refresh_hand_written(pk: int, latency_ms: int) -> None:
    row = HandWrittenToken.objects.get(pk=pk)
    store_hand_written(row, fetch(row.refresh_token, latency_ms))


def store_hand_written(row: HandWrittenToken, token: dict[str, Any]) -> None:
    row.access_token = token["access_token"]
    row.refresh_token = token["refresh_token"]
    row.expires_at = expiry(token)
    row.save()
