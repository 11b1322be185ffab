from __future__ import annotations

from typing import Any

from allauth.socialaccount.providers.base import ProviderAccount
from allauth.socialaccount.providers.oauth2.provider import OAuth2Provider

from benchmarks.peers.allauth_stub.views import StubOAuth2Adapter


class StubProvider(OAuth2Provider):
    id = "stub"
    name = "Stub"
    account_class = ProviderAccount
    oauth2_adapter_class = StubOAuth2Adapter

    def get_default_scope(self) -> list[str]:
        return ["read", "write"]

    def extract_uid(self, data: dict[str, Any]) -> str:
        return str(data["sub"])

    def extract_common_fields(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"email": data["email"]}


provider_classes = [StubProvider]
