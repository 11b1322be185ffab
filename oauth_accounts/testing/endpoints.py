"""What the fake provider answers when nothing is scripted: OAuth 2.0 by the book."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

from oauth_accounts.testing.client_check import authenticated_form
from oauth_accounts.testing.description import JWKS_PATH, ProviderDescription
from oauth_accounts.testing.grants import Grant, Refusal
from oauth_accounts.testing.resources import answer_api, answer_userinfo
from oauth_accounts.testing.wire import Answer, Pairs, RecordedRequest

Endpoint = Literal[
    "authorization",
    "token",
    "revocation",
    "userinfo",
    "metadata",
    "jwks",
    "api",
    "unknown",
]

_PATHS: Mapping[str, Endpoint] = {
    "/authorize": "authorization",
    "/token": "token",
    "/revoke": "revocation",
    "/userinfo": "userinfo",
    "/.well-known/oauth-authorization-server": "metadata",
    "/.well-known/openid-configuration": "metadata",
}
# RFC 7636 section 4.1; a challenge has the length of a SHA-256 in base64url.
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}\Z")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}\Z")
# RFC 6749 section 5.1: token answers are not to be kept by anything on the way.
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class OAuthServer(ProviderDescription):
    """An OAuth 2.0 authorization server with an API, as a function of requests."""

    # -- authorization endpoint --------------------------------------------------

    def authorize(
        self,
        url: str,
        subject: str = "alice",
        scopes: Sequence[str] | None = None,
        deny: bool = False,
    ) -> str:
        """
        Play the user at an authorization URL; return the URL the browser is sent back to.

        scopes: what the user grants; None grants what the URL asks for.
        Raises ValueError where a user would be shown an error page and not be sent back.
        """
        if not url.startswith(f"{self.authorization_endpoint}?"):
            raise ValueError("not a URL of the authorization endpoint")
        pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True)
        asked = dict(pairs)
        redirect_uri = self._redirect_uri(pairs)
        # RFC 9207: the issuer goes with errors, too.
        answer = {"iss": self.issuer} | {k: v for k, v in asked.items() if k == "state"}
        error = "access_denied" if deny else _authorization_error(pairs)
        if error is None:
            wanted = asked.get("scope", "").split() or self.scopes
            granted = wanted if scopes is None else scopes
            answer["code"] = self.book.add_code(
                subject,
                granted,
                redirect_uri,
                asked["code_challenge"],
                asked.get("nonce"),
            )
        else:
            answer["error"] = error
        return f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{urlencode(answer)}"

    def _redirect_uri(self, pairs: Pairs) -> str:
        asked = dict(pairs)
        # RFC 6749 section 4.1.2.1: with these two in doubt nobody is redirected.
        if asked.get("client_id") != self.client_id:
            raise ValueError("client_id is not the registered one")
        found = [value for name, value in pairs if name == "redirect_uri"]
        if len(found) != 1 or not found[0].startswith(("http://", "https://")):
            raise ValueError("redirect_uri has to be there once, as an absolute URL")
        if self.redirect_uris is not None and found[0] not in self.redirect_uris:
            raise ValueError("redirect_uri is not a registered one")
        return found[0]

    def _answer_authorization(self, request: RecordedRequest) -> Answer:
        url = f"{self.issuer}{request.target}"
        try:
            location = self.authorize(url, self.subject, deny=self.deny)
        except ValueError as error:
            return Answer(status=400, body=f"<h1>Error</h1><p>{error}</p>")
        return Answer(status=302, body="", headers={"Location": location})

    # -- token endpoint ----------------------------------------------------------

    def _answer_token(self, request: RecordedRequest) -> Answer:
        form = self._authenticated_form(request)
        match form.get("grant_type"):
            case "authorization_code":
                return self._redeem(form)
            case "refresh_token":
                return self._refresh(form)
            case None:
                raise Refusal("invalid_request", reason="grant_type")
            case _:
                raise Refusal("unsupported_grant_type")

    def _redeem(self, form: Mapping[str, str]) -> Answer:
        verifier = form.get("code_verifier", "")
        if "code" not in form or not _VERIFIER.match(verifier):
            raise Refusal("invalid_request", reason="code and code_verifier")
        redirect_uri = form.get("redirect_uri", "")
        grant = self.book.redeem(form["code"], redirect_uri, verifier)
        successor = self.book.add_refresh_token(grant)
        return self._tokens(grant, grant.scopes, successor, grant.nonce)

    def _refresh(self, form: Mapping[str, str]) -> Answer:
        if "refresh_token" not in form:
            raise Refusal("invalid_request", reason="refresh_token")
        token = form["refresh_token"]
        grant = self.book.present(token, self.grace)
        # RFC 6749 section 6: a refresh may narrow the scopes and never widen them.
        scopes = tuple(form.get("scope", "").split()) or grant.scopes
        if not set(scopes) <= set(grant.scopes):
            raise Refusal("invalid_scope")
        successor = None
        if self.rotate:
            grant, successor = self.book.rotate(token, self.grace)
        return self._tokens(grant, scopes, successor)

    def _tokens(
        self,
        grant: Grant,
        scopes: tuple[str, ...],
        refresh_token: str | None,
        nonce: str | None = None,
    ) -> Answer:
        access_token = self.book.add_access_token(grant, self.lifetime, scopes)
        answer = {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": self.expires_in,
            "refresh_token": refresh_token,
            "scope": " ".join(scopes),
        }
        if "openid" in scopes:
            answer["id_token"] = self.id_tokens.issue(
                now=self.book.clock(),
                access_token=access_token,
                iss=self.issuer,
                sub=grant.subject,
                aud=self.client_id,
                # OpenID Connect Core section 12.2: none in those of a refresh.
                nonce=nonce,
            )
        kept = {name: value for name, value in answer.items() if value is not None}
        return Answer(json=kept, headers=_NO_STORE)

    # -- revocation endpoint -----------------------------------------------------

    def _answer_revocation(self, request: RecordedRequest) -> Answer:
        form = self._authenticated_form(request)
        if "token" not in form:
            raise Refusal("invalid_request", reason="token")
        self._revoked.append(form["token"])
        self.book.revoke(form["token"])
        # RFC 7009 section 2.2: 200 for a token nobody knows, too.
        return Answer(body="")

    def _authenticated_form(self, request: RecordedRequest) -> dict[str, str]:
        return authenticated_form(
            request,
            self.client_id,
            self.client_secret,
            self.token_endpoint_auth_method,
        )

    # -- all of them -------------------------------------------------------------

    def respond(self, request: RecordedRequest) -> Answer:
        """Return the answer by the book; a script may call this and change the result."""
        answers: Mapping[Endpoint, Callable[[RecordedRequest], Answer]] = {
            "authorization": self._answer_authorization,
            "token": self._answer_token,
            "revocation": self._answer_revocation,
            "metadata": lambda _: Answer(json=self.metadata),
            "jwks": lambda _: Answer(json=self.id_tokens.jwks),
            "userinfo": lambda _: answer_userinfo(request, self.book, self.profiles),
            "api": lambda _: answer_api(request, self.book),
            "unknown": lambda _: Answer(status=404, body="<h1>Not found</h1>"),
        }
        try:
            return answers[endpoint_of(request)](request)
        except Refusal as refusal:
            return _refused(refusal)


def endpoint_of(request: RecordedRequest) -> Endpoint:
    """Return the name of the endpoint that a request was sent to."""
    if request.path.startswith("/api/"):
        return "api"
    if request.path.startswith(JWKS_PATH):
        return "jwks"
    return _PATHS.get(request.path, "unknown")


def _authorization_error(pairs: Pairs) -> str | None:
    asked = dict(pairs)
    # RFC 6749 section 3.1: no parameter more than once.
    if len(asked) != len(pairs):
        return "invalid_request"
    if asked.get("response_type") != "code":
        return "unsupported_response_type"
    if asked.get("code_challenge_method") != "S256":
        return "invalid_request"
    return (
        None if _CHALLENGE.match(asked.get("code_challenge", "")) else "invalid_request"
    )


def _refused(refusal: Refusal) -> Answer:
    headers = dict(_NO_STORE)
    if refusal.status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="fake provider"'
    body = {"error": refusal.error, "error_description": refusal.reason}
    return Answer(status=refusal.status, json=body, headers=headers)
