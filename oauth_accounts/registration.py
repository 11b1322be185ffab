"""What an administrator registers at a provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.urls import reverse

from oauth_accounts.conf import conf
from oauth_accounts.exceptions import ProviderMisconfigured

if TYPE_CHECKING:
    from django.http import HttpRequest

    from oauth_accounts.models import Provider


def redirect_uri(request: HttpRequest | None, provider: Provider) -> str:
    """
    Return the redirect URI of a provider, to be registered there.

    It comes from OAUTH_ACCOUNTS_BASE_URL, never from the Host header, except while DEBUG
    is on and the setting is missing. Raises ProviderMisconfigured when it is missing.
    """
    path = reverse("oauth_accounts:callback", args=[provider.slug])
    if base := conf.OAUTH_ACCOUNTS_BASE_URL:
        return base + path
    if conf.DEBUG and request is not None:
        return request.build_absolute_uri(path)
    raise ProviderMisconfigured("base_url_missing")
