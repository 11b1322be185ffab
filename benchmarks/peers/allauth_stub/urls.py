from __future__ import annotations

from allauth.socialaccount.providers.oauth2.urls import default_urlpatterns

from benchmarks.peers.allauth_stub.provider import StubProvider

urlpatterns = default_urlpatterns(StubProvider)
