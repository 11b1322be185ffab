from __future__ import annotations

from base64 import b64decode
from urllib.parse import parse_qs, unquote_plus

import pytest
from requests import Request

from oauth_accounts.exceptions import ProviderMisconfigured
from oauth_accounts.fields import Secret
from oauth_accounts.protocol.client_auth import client_authentication

CLIENT_ID = "my client:1"
SECRET = "a:b%c+d é&="


def prepared(method: str):
    auth = client_authentication(method, CLIENT_ID, Secret(SECRET))
    return Request("POST", "https://idp.example/", data="a=b", auth=auth).prepare()


def test_a3_1_basic_is_form_urlencoded_first():
    request = prepared("client_secret_basic")
    scheme, _, credentials = request.headers["Authorization"].partition(" ")
    client_id, secret = b64decode(credentials).decode("ascii").split(":")
    assert scheme == "Basic"
    assert unquote_plus(client_id) == CLIENT_ID
    assert unquote_plus(secret) == SECRET
    assert request.body == "a=b"


@pytest.mark.parametrize(
    ("method", "credentials"),
    [
        ("client_secret_post", {"client_id": [CLIENT_ID], "client_secret": [SECRET]}),
        ("none", {"client_id": [CLIENT_ID]}),
    ],
)
def test_a3_1_in_the_body_and_nowhere_else(method, credentials):
    request = prepared(method)
    assert "Authorization" not in request.headers
    assert parse_qs(request.body) == {"a": ["b"], **credentials}
    assert request.headers["Content-Length"] == str(len(request.body))


@pytest.mark.parametrize("method", ["private_key_jwt", "", "CLIENT_SECRET_POST"])
def test_other_methods_are_not_supported(method):
    with pytest.raises(ProviderMisconfigured) as caught:
        client_authentication(method, CLIENT_ID, Secret(SECRET))
    assert caught.value.code == "client_auth_unsupported"


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
@pytest.mark.parametrize("secret", [None, Secret("")])
def test_a_secret_is_needed(method, secret):
    with pytest.raises(ProviderMisconfigured) as caught:
        client_authentication(method, CLIENT_ID, secret)
    assert caught.value.code == "client_secret_missing"
