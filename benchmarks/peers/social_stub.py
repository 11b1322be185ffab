"""A python-social-auth backend for the stub server."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from social_core.backends.oauth import BaseOAuth2PKCE


class StubOAuth2(BaseOAuth2PKCE):
    name = "stub"
    ID_KEY = "sub"
    AUTHORIZATION_URL = f"{settings.STUB_URL}/authorize"
    ACCESS_TOKEN_URL = f"{settings.STUB_URL}/token"
    REFRESH_TOKEN_URL = f"{settings.STUB_URL}/token"
    DEFAULT_SCOPE = ["read", "write"]
    EXTRA_DATA = [("refresh_token", "refresh_token"), ("expires_in", "expires")]

    def get_user_details(self, response: dict[str, Any]) -> dict[str, Any]:
        return {"username": response["sub"], "email": response["email"]}

    def user_data(self, access_token: str, *args: Any, **kwargs: Any) -> Any:
        return self.get_json(
            f"{settings.STUB_URL}/userinfo",
            headers={"Authorization": f"Bearer {access_token}"},
        )
