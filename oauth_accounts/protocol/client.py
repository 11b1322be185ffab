"""OAuth 2.0 (RFC 6749) with PKCE (RFC 7636) and revocation (RFC 7009), as a client."""

from __future__ import annotations

import hashlib
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from functools import wraps
from http import HTTPStatus
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

import requests
from oauthlib.oauth2 import WebApplicationClient
from requests_oauthlib import OAuth2Session

from oauth_accounts.exceptions import (
    ProviderMisconfigured,
    ProviderUnavailable,
    ReauthRequired,
    TokenError,
)
from oauth_accounts.fields import Secret
from oauth_accounts.frames import without_frames
from oauth_accounts.protocol.answers import (
    Answer,
    error_member,
    failure_of,
    read_object,
)
from oauth_accounts.protocol.client_auth import client_authentication
from oauth_accounts.protocol.client_config import ClientConfig
from oauth_accounts.protocol.parameters import (
    AUTHORIZATION_PARAMS,
    TOKEN_PARAMS,
    static_params,
)
from oauth_accounts.protocol.tokens import TokenSet, parse_token_answer
from oauth_accounts.protocol.transport import BoundedSession, call, check_url

P = ParamSpec("P")
T = TypeVar("T")

# A code so long that stands in a secret is a part of it, and no coincidence.
MIN_QUOTE = 8

_FORM_HEADERS = {
    "Accept": "application/json",
    "Content-Type": "application/x-www-form-urlencoded",
}


class _ProviderSession(BoundedSession, OAuth2Session):  # type: ignore[misc]
    """
    The session of requests-oauthlib behind the guard.

    Requests are prepared and sent by `transport.call`, never by `request()`,
    `fetch_token()` or `refresh_token()`: those print every secret at DEBUG, and lose
    tokens on answers that their parser does not like.
    """


def _without_echo(
    method: Callable[Concatenate[OAuth2Client, P], T],
) -> Callable[Concatenate[OAuth2Client, P], T]:
    """Forget an error code that quotes a secret of the call: codes are stored and shown."""

    @wraps(method)
    def wrapper(self: OAuth2Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(self, *args, **kwargs)
        except TokenError as error:
            sent = (self.config.client_secret, *args, *kwargs.values())
            if any(_quotes(error.provider_code, secret) for secret in sent):
                error.provider_code = "unknown"
            raise

    return wrapper


def _quotes(code: str | None, secret: object) -> bool:
    if code is None or not isinstance(secret, Secret) or not secret:
        return False
    value = secret.get_value()
    return value in code or (len(code) >= MIN_QUOTE and code in value)


class OAuth2Client:
    """
    Speaks to one provider.

    Thread-safe; keeps no tokens. Errors are those of TokenError, with fixed messages.

    config: the registration.
    """

    def __init__(self, config: ClientConfig) -> None:
        self.config = config
        self._oauth = WebApplicationClient(config.client_id)
        self._session = _ProviderSession(client=self._oauth)

    @without_frames
    def authorization_url(
        self,
        *,
        redirect_uri: str,
        state: Secret,
        code_verifier: Secret,
        scopes: Sequence[str],
        nonce: Secret | None = None,
    ) -> str:
        """
        Return the URL to send the browser to (RFC 6749 section 4.1.1).

        redirect_uri: as registered, byte for byte.
        state, code_verifier: fresh for this attempt.
        scopes: what to ask for.
        nonce: fresh too; for an ID token to repeat.
        Raises ProviderMisconfigured "endpoint_missing", "url_refused",
        "params_refused".
        """
        config = self.config
        endpoint = self._endpoint("authorization_endpoint")
        static = static_params(config.authorization_params, AUTHORIZATION_PARAMS)
        names = {name for name, _ in parse_qsl(urlsplit(endpoint).query, True)}
        if names & AUTHORIZATION_PARAMS:
            raise ProviderMisconfigured("url_refused")
        if names & set(config.authorization_params):
            raise ProviderMisconfigured("params_refused")
        if static:
            endpoint += ("&" if "?" in endpoint else "?") + static
        # oauthlib refuses http unless a variable allows it to the whole process;
        # check_url has decided already, and for this URL only.
        scheme, rest = endpoint.split(":", 1)
        built: str = self._oauth.prepare_request_uri(
            f"https:{rest}",
            redirect_uri=redirect_uri,
            scope=config.scope_separator.join(scopes),
            state=state.get_value(),
            code_challenge=_challenge(code_verifier),
            code_challenge_method="S256",
            **({} if nonce is None else {"nonce": nonce.get_value()}),
        )
        return scheme + built.removeprefix("https")

    @without_frames
    @_without_echo
    def exchange_code(
        self, *, code: Secret, redirect_uri: str, code_verifier: Secret
    ) -> TokenSet:
        """
        Trade an authorisation code for tokens, once (RFC 6749 section 4.1.3).

        Any 200 without an error gives a TokenSet, perhaps with a `problem`, so that
        the caller can have a refresh token revoked that came beside it.
        Raises TokenError.
        """
        extra = static_params(self.config.token_params, TOKEN_PARAMS)
        body = Secret(
            self._oauth.prepare_request_body(
                body=extra,
                code=code.get_value(),
                redirect_uri=redirect_uri,
                code_verifier=code_verifier.get_value(),
                include_client_id=False,
            )
        )
        return self._tokens_from(self._post("token_endpoint", body))

    @without_frames
    @_without_echo
    def refresh(self, refresh_token: Secret) -> TokenSet:
        """
        Ask for a new access token, once (RFC 6749 section 6).

        Any 200 without an error gives a TokenSet, perhaps with a `problem`, so that
        the caller can store a rotated refresh token. No scope is sent: the grant's
        own scope is meant.
        Raises TokenError.
        """
        extra = static_params(self.config.refresh_params, TOKEN_PARAMS)
        body = Secret(
            self._oauth.prepare_refresh_body(
                body=extra, refresh_token=refresh_token.get_value()
            )
        )
        return self._tokens_from(self._post("token_endpoint", body))

    @without_frames
    @_without_echo
    def revoke(
        self, token: Secret, token_type_hint: str
    ) -> Literal["confirmed", "unsupported"]:
        """
        Ask the provider to revoke a token (RFC 7009).

        token_type_hint: "access_token" or "refresh_token".
        Returns "confirmed" also for a token the provider does not know, "unsupported"
        when it cannot revoke this type or has no endpoint for it.
        Raises TokenError: the token may still be alive.
        """
        if not self.config.revocation_endpoint:
            return "unsupported"
        form = [("token", token.get_value()), ("token_type_hint", token_type_hint)]
        body = Secret(urlencode(form))
        del form
        answer = self._post("revocation_endpoint", body)
        failure = failure_of(answer)
        if failure is None or answer.status == HTTPStatus.NO_CONTENT:
            return "confirmed"
        error = failure.provider_code if failure.code == "unknown_error" else None
        if error == "unsupported_token_type":
            return "unsupported"
        # Section 2.2: an invalid token is no error, but some providers report it.
        if error == "invalid_token":
            return "confirmed"
        raise failure

    @without_frames
    @_without_echo
    def userinfo(self, access_token: Secret) -> dict[str, Any]:
        """
        Return the JSON object that describes the connected account.

        Raises TokenError: ReauthRequired "invalid_token" when the token is refused.
        """
        url = self._endpoint("userinfo_endpoint")
        answer = call(
            self._session,
            requests.Request(
                "GET",
                url,
                headers={
                    "Accept": "application/json",
                    "Authorization": f"Bearer {access_token.get_value()}",
                },
            ),
        )
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise ReauthRequired("invalid_token", provider_code=error_member(answer))
        if answer.status == HTTPStatus.FORBIDDEN and answer.retry_after is None:
            raise ProviderMisconfigured(
                "insufficient_scope", provider_code=error_member(answer)
            )
        _raise_failure(answer)
        profile = read_object(answer.body, strict=True)
        if profile is None:
            raise ProviderUnavailable("bad_answer")
        return dict(profile)

    def _endpoint(self, name: str) -> str:
        url: str = getattr(self.config, name)
        if not url:
            raise ProviderMisconfigured("endpoint_missing")
        # RFC 6749 sections 3.1 and 3.2: an endpoint may have a query, which is kept.
        check_url(url, allow_query=True)
        return url

    def _post(self, endpoint: str, body: Secret) -> Answer:
        config = self.config
        auth = client_authentication(
            config.token_endpoint_auth_method, config.client_id, config.client_secret
        )
        url = self._endpoint(endpoint)
        request = requests.Request(
            "POST", url, data=body.get_value(), headers=_FORM_HEADERS, auth=auth
        )
        return call(self._session, request)

    def _tokens_from(self, answer: Answer) -> TokenSet:
        _raise_failure(answer, of_tokens=True)
        return parse_token_answer(
            answer.body,
            issued_at=answer.sent_at,
            scope_separator=self.config.scope_separator,
        )


def _raise_failure(answer: Answer, *, of_tokens: bool = False) -> None:
    failure = failure_of(answer, of_tokens=of_tokens)
    if failure is not None:
        raise failure


def new_code_verifier() -> Secret:
    """Return a fresh PKCE verifier of 86 characters (RFC 7636 section 4.1)."""
    return Secret(secrets.token_urlsafe(64))


def _challenge(code_verifier: Secret) -> str:
    digest = hashlib.sha256(code_verifier.get_value().encode("ascii")).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
