"""python-social-auth's own refresh, for one stored association."""

from __future__ import annotations

from social_django.models import UserSocialAuth
from social_django.utils import load_strategy

from benchmarks.peers.refreshing import token_url
from benchmarks.peers.social_stub import StubOAuth2


def refresh_social_auth(pk: int, latency_ms: int) -> None:
    StubOAuth2.REFRESH_TOKEN_URL = token_url(latency_ms)
    UserSocialAuth.objects.get(pk=pk).refresh_token(load_strategy())
