"""One refresh with Authlib's session, on the hand-written table."""

from __future__ import annotations

from authlib.integrations.requests_client import OAuth2Session
from django.conf import settings

from benchmarks.peers.models import HandWrittenToken
from benchmarks.peers.refreshing import store_hand_written, token_url


def refresh_with_authlib(pk: int, latency_ms: int) -> None:
    row = HandWrittenToken.objects.get(pk=pk)
    session = OAuth2Session(settings.CLIENT_ID, settings.CLIENT_SECRET)
    token = session.refresh_token(
        token_url(latency_ms), refresh_token=row.refresh_token
    )
    store_hand_written(row, token)
