"""
What an authorization server says about itself (RFC 8414, OpenID Connect Discovery).

Asked by administrators only, to fill in a provider: RFC 9700 section 4.4 and the attacks on
clients that follow metadata at run time are why no user's request gets here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from oauth_accounts.exceptions import (
    ProviderMisconfigured,
    ProviderUnavailable,
    TokenError,
)
from oauth_accounts.protocol.documents import fetch_document
from oauth_accounts.protocol.transport import check_url

REQUIRED = ("authorization_endpoint", "token_endpoint")
ENDPOINTS = (
    *REQUIRED,
    "revocation_endpoint",
    "introspection_endpoint",
    "userinfo_endpoint",
    "jwks_uri",
    "device_authorization_endpoint",
    "pushed_authorization_request_endpoint",
)
FLAGS = (
    "authorization_response_iss_parameter_supported",
    "require_pushed_authorization_requests",
)
LISTS = (
    "code_challenge_methods_supported",
    "token_endpoint_auth_methods_supported",
    "scopes_supported",
)

# Best first. Signed assertions have a place in the model, and no sender yet.
AUTH_METHODS = ("client_secret_basic", "client_secret_post", "none")

# Shown on terminals and pages: no blanks, no controls.
_WORD = re.compile(r"[!-~]{1,500}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """Members of the metadata document that mean something here, by their names in it."""

    issuer: str
    """Equal to the issuer that was asked for."""
    authorization_endpoint: str
    token_endpoint: str
    revocation_endpoint: str = ""
    introspection_endpoint: str = ""
    userinfo_endpoint: str = ""
    jwks_uri: str = ""
    device_authorization_endpoint: str = ""
    pushed_authorization_request_endpoint: str = ""
    authorization_response_iss_parameter_supported: bool = False
    """RFC 9207: every authorization response names the issuer."""
    require_pushed_authorization_requests: bool = False
    """RFC 9126 section 5."""
    code_challenge_methods_supported: tuple[str, ...] | None = None
    """None when the document does not say, as with many that do support PKCE."""
    token_endpoint_auth_methods_supported: tuple[str, ...] | None = None
    """None when the document does not say, which means client_secret_basic."""
    scopes_supported: tuple[str, ...] | None = None
    """Perhaps not all of them (RFC 8414 section 2)."""

    def as_provider_fields(self) -> dict[str, Any]:
        """Return values for the fields of a Provider that have the same names."""
        methods = self.code_challenge_methods_supported
        return {
            "issuer": self.issuer,
            **{name: getattr(self, name) for name in (*ENDPOINTS, *FLAGS)},
            "code_challenge_methods_supported": methods and list(methods),
        }

    def best_auth_method(self) -> str | None:
        """Return the best way to authenticate that both sides know; None for none."""
        supported = self.token_endpoint_auth_methods_supported
        if supported is None:
            # RFC 8414 section 2: what it means when nothing is said.
            return AUTH_METHODS[0]
        return next((method for method in AUTH_METHODS if method in supported), None)


def discover(issuer: str) -> Metadata:
    """
    Ask an authorization server for its metadata.

    issuer: its identifier, an https URL without query. The document has to name the same
        one, character by character (RFC 8414 section 3.3).

    Raises ProviderMisconfigured "discovery_refused" when an address is not one that may be
    called, "discovery_bad_document" when there is no document that can be used;
    ProviderUnavailable "discovery_unreachable" when no answer came. Nothing finer: whoever
    may ask could learn from it what listens in the network of this machine.
    """
    places = well_known_urls(issuer)
    for number, url in enumerate(places, 1):
        metadata = _read(_fetch(url), issuer)
        if metadata is not None:
            return _completed(metadata, places[number:])
    raise ProviderMisconfigured("discovery_bad_document")


def _completed(metadata: Metadata, places: Iterable[str]) -> Metadata:
    """
    Return metadata with what a second document of the same server says besides.

    OpenID Connect Discovery section 3 knows no revocation endpoint, and some servers name
    theirs in the document of RFC 8414 only. Without it, disconnecting would end tokens
    here and nowhere else.
    """
    if metadata.revocation_endpoint:
        return metadata
    for url in places:
        try:
            other = _read(_fetch(url), metadata.issuer)
        except TokenError:
            # It is about what the first document left out, which may be nothing.
            break
        if other is not None and all(
            getattr(other, name) == getattr(metadata, name) for name in REQUIRED
        ):
            said = {name: getattr(other, name) for name in ENDPOINTS}
            left_out = {n: v for n, v in said.items() if not getattr(metadata, n)}
            return replace(metadata, **left_out)
    return metadata


def well_known_urls(issuer: str) -> list[str]:
    """
    Return the places where an issuer's metadata may be, in the order to look.

    OpenID Connect Discovery section 4.1 appends to the path, RFC 8414 sections 3.1 and 5
    insert before it.
    Raises ProviderMisconfigured "discovery_refused".
    """
    _check(issuer, allow_query=False)
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.removesuffix("/")
    places = [
        f"{path}/.well-known/openid-configuration",
        f"/.well-known/oauth-authorization-server{path}",
        f"/.well-known/openid-configuration{path}",
    ]
    return [origin + place for place in dict.fromkeys(places)]


def _fetch(url: str) -> Mapping[str, Any]:
    try:
        return fetch_document(url) or {}
    except ProviderMisconfigured:
        failure: Exception = ProviderMisconfigured("discovery_refused")
    except ProviderUnavailable:
        failure = ProviderUnavailable("discovery_unreachable")
    raise failure


def _read(document: Mapping[str, Any], issuer: str) -> Metadata | None:
    """Return what a document says; None when it is another issuer's, or no metadata."""
    if document.get("issuer") != issuer:
        return None
    known = {n: document[n] for n in _IS_VALID if document.get(n) not in (None, "")}
    if not all(_IS_VALID[name](value) for name, value in known.items()):
        return None
    if not all(name in known for name in REQUIRED):
        return None
    for name in ENDPOINTS:
        if name in known:
            _check(known[name], allow_query=True)
    lists = {name: tuple(known[name]) for name in LISTS if name in known}
    return Metadata(issuer=issuer, **{**known, **lists})


def _check(url: str, *, allow_query: bool) -> None:
    try:
        check_url(url, allow_query=allow_query)
    except ProviderMisconfigured:
        pass
    else:
        return
    raise ProviderMisconfigured("discovery_refused")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(word, str) and _WORD.fullmatch(word) for word in value
    )


_IS_VALID: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(ENDPOINTS, _is_text),
    **dict.fromkeys(FLAGS, _is_flag),
    **dict.fromkeys(LISTS, _is_list),
}
