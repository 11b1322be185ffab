"""django-allauth stores tokens and has no refresh: projects add it, usually like this."""

from __future__ import annotations

from allauth.socialaccount.models import SocialToken

from benchmarks.peers.refreshing import expiry, fetch


def refresh_social_token(pk: int, latency_ms: int) -> None:
    row = SocialToken.objects.get(pk=pk)
    token = fetch(row.token_secret, latency_ms)
    row.token = token["access_token"]
    row.token_secret = token["refresh_token"]
    row.expires_at = expiry(token)
    row.save()
