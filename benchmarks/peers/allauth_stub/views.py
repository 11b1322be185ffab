from __future__ import annotations

from typing import Any

from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.providers.oauth2.views import (
    OAuth2Adapter,
    OAuth2CallbackView,
    OAuth2LoginView,
)
from django.conf import settings


class StubOAuth2Adapter(OAuth2Adapter):
    provider_id = "stub"
    access_token_url = f"{settings.STUB_URL}/token"
    authorize_url = f"{settings.STUB_URL}/authorize"
    profile_url = f"{settings.STUB_URL}/userinfo"

    def complete_login(self, request: Any, app: Any, token: Any, **kwargs: Any) -> Any:
        headers = {"Authorization": f"Bearer {token.token}"}
        with get_adapter().get_requests_session() as session:
            data = session.get(self.profile_url, headers=headers).json()
        return self.get_provider().sociallogin_from_response(request, data)


oauth2_login = OAuth2LoginView.adapter_view(StubOAuth2Adapter)
oauth2_callback = OAuth2CallbackView.adapter_view(StubOAuth2Adapter)
