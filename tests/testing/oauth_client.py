"""A small OAuth client of the tests' own, so that the fake is not judged by our client."""

from __future__ import annotations

import secrets
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit

import requests

from oauth_accounts.testing.grants import s256

REDIRECT_URI = "http://client.example/callback"
VERIFIER = "v" * 43


def authorization_url(provider, **changes):
    """Return a correct authorization URL; a change to None leaves the parameter out."""
    query = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": REDIRECT_URI,
        "state": "st",
        "code_challenge": s256(VERIFIER),
        "code_challenge_method": "S256",
    } | changes
    kept = {name: value for name, value in query.items() if value is not None}
    return f"{provider.authorization_endpoint}?{urlencode(kept)}"


def query_of(url):
    pairs = parse_qsl(urlsplit(url).query)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def basic(client_id, client_secret):
    return quote_plus(client_id), quote_plus(client_secret)


class Client:
    """Talks to one provider over one kept connection."""

    def __init__(self, provider):
        self.provider = provider
        self.http = requests.Session()
        self.http.trust_env = False

    def post(self, endpoint, **form):
        provider = self.provider
        auth = basic(provider.client_id, provider.client_secret)
        return self.http.post(endpoint, data=form, auth=auth, timeout=10)

    def token(self, **form):
        return self.post(self.provider.token_endpoint, **form)

    def refresh(self, refresh_token, **form):
        return self.token(
            grant_type="refresh_token", refresh_token=refresh_token, **form
        )

    def redeem(self, code, /, **changes):
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT_URI,
            "code_verifier": VERIFIER,
        }
        return self.token(**(form | changes))

    def revoke(self, token):
        return self.post(self.provider.revocation_endpoint, token=token)

    def get(self, url, token=None):
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return self.http.get(url, headers=headers, timeout=10, allow_redirects=False)


def unknown_token():
    return f"rt-{secrets.token_hex(20)}"


def call_api(url, token, times):
    """Return the status codes of calls over one connection; a child process may do it."""
    with requests.Session() as http_session:
        http_session.trust_env = False
        headers = {"Authorization": f"Bearer {token}"}
        return [
            http_session.get(url, headers=headers, timeout=30).status_code
            for _ in range(times)
        ]


def error_of(response):
    return response.status_code, response.json()["error"]
