"""How a client says who it is to a token or revocation endpoint."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import quote_plus, urlencode

from requests import PreparedRequest
from requests.auth import AuthBase

from oauth_accounts.exceptions import ProviderMisconfigured
from oauth_accounts.fields import Secret


class ClientSecretBasic(AuthBase):
    """
    HTTP Basic with both halves form-urlencoded first (RFC 6749 section 2.3.1).

    client_id, client_secret: what the provider registered.
    """

    def __init__(self, client_id: str, client_secret: Secret) -> None:
        self._client_id = client_id
        self._client_secret = client_secret

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = "Basic " + b64encode(
            f"{quote_plus(self._client_id)}:"
            f"{quote_plus(self._client_secret.get_value())}".encode()
        ).decode("ascii")
        return request


class ClientInBody(AuthBase):
    """
    client_id, and client_secret if there is one, as form parameters.

    Without a secret this is the method "none" of public clients.
    """

    def __init__(self, client_id: str, client_secret: Secret | None = None) -> None:
        self._client_id = client_id
        self._client_secret = client_secret

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        credentials = [("client_id", self._client_id)]
        if self._client_secret is not None:
            credentials.append(("client_secret", self._client_secret.get_value()))
        # The length is set again by requests after this call.
        request.body = "&".join((str(request.body), urlencode(credentials)))
        return request


def client_authentication(
    method: str, client_id: str, client_secret: Secret | None
) -> AuthBase:
    """
    Return what authenticates a form request, by exactly one method.

    method: a token_endpoint_auth_method of RFC 7591 section 2.
    Raises ProviderMisconfigured: "client_auth_unsupported", "client_secret_missing".
    """
    if method == "none":
        return ClientInBody(client_id)
    if method not in ("client_secret_basic", "client_secret_post"):
        raise ProviderMisconfigured("client_auth_unsupported")
    if not client_secret:
        raise ProviderMisconfigured("client_secret_missing")
    if method == "client_secret_basic":
        return ClientSecretBasic(client_id, client_secret)
    return ClientInBody(client_id, client_secret)
