"""Calls that more than one test module makes."""

from __future__ import annotations

import pytest
import requests

from oauth_accounts.exceptions import OAuthAccountsError, ProviderMisconfigured
from oauth_accounts.fields import Secret
from oauth_accounts.protocol.answers import Answer
from oauth_accounts.protocol.client import OAuth2Client
from oauth_accounts.protocol.client_config import ClientConfig
from oauth_accounts.protocol.transport import BoundedSession, call
from tests.protocol.servers import answer

OK = answer(200, {"a": 1})


def ask(url: str, **kwargs) -> Answer:
    """Send a form through the transport."""
    return call(BoundedSession(), requests.Request("POST", url, data="a=b", **kwargs))


def failure(url: str) -> OAuthAccountsError:
    """Return the error that asking raises."""
    with pytest.raises(OAuthAccountsError) as caught:
        ask(url)
    return caught.value


REDIRECT_URI = "https://site.example/oauth/idp/callback/?a=1"
SECRETS = {
    "client_secret": "s3cret-client",
    "code": "s3cret-code",
    "verifier": "s3cret-verifier-" + "v" * 40,
    "refresh_token": "s3cret-refresh",
    "access_token": "s3cret-access",
    "state": "s3cret-state",
}


def client_of(url: str, **changes) -> OAuth2Client:
    values = {
        "client_id": "client-1",
        "client_secret": Secret(SECRETS["client_secret"]),
        "authorization_endpoint": f"{url}/authorize",
        "token_endpoint": f"{url}/token",
        "revocation_endpoint": f"{url}/revoke",
        "userinfo_endpoint": f"{url}/me",
        **changes,
    }
    return OAuth2Client(ClientConfig(**values))


def exchange(client: OAuth2Client):
    return client.exchange_code(
        code=Secret(SECRETS["code"]),
        redirect_uri=REDIRECT_URI,
        code_verifier=Secret(SECRETS["verifier"]),
    )


def refresh(client: OAuth2Client):
    return client.refresh(Secret(SECRETS["refresh_token"]))


def revoke(client: OAuth2Client):
    return client.revoke(Secret(SECRETS["refresh_token"]), "refresh_token")


def userinfo(client: OAuth2Client):
    return client.userinfo(Secret(SECRETS["access_token"]))


CALLS = [exchange, refresh, revoke, userinfo]


def authorize(client: OAuth2Client, scopes=("read", "write")) -> str:
    return client.authorization_url(
        redirect_uri=REDIRECT_URI,
        state=Secret(SECRETS["state"]),
        code_verifier=Secret(SECRETS["verifier"]),
        scopes=scopes,
    )


def refusal(work, *args) -> str:
    """Return the code of the ProviderMisconfigured that some work raises."""
    with pytest.raises(ProviderMisconfigured) as caught:
        work(*args)
    return caught.value.code
