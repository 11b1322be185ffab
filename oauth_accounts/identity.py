"""Whom the provider says the token belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from oauth_accounts.exceptions import (
    AuthorizationError,
    ProviderMisconfigured,
    ProviderUnavailable,
)
from oauth_accounts.protocol.id_token import Expected, verify_id_token
from oauth_accounts.protocol.tokens import TokenSet

if TYPE_CHECKING:
    from oauth_accounts.fields import Secret
    from oauth_accounts.models import AuthorizationAttempt
    from oauth_accounts.protocol.client import OAuth2Client

MAX_LENGTH = 255
PROFILE_FIELDS = ("name", "email", "preferred_username", "login", "username")


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """The account at the provider."""

    uid: str
    """The provider's permanent ID: exact, case-sensitive, never an e-mail address."""

    label: str
    """For display only; the provider's user can change it to anything."""

    profile: dict[str, str]
    """For display only."""


def ask_whose(
    attempt: AuthorizationAttempt, client: OAuth2Client, tokens: TokenSet
) -> tuple[Identity, TokenSet]:
    """
    Find out whose tokens these are; return that, and what of them may be stored.

    The access token is not used before the ID token that vouches for it was checked. An ID
    token that was not asked for is not looked at.

    Raises AuthorizationError or TokenError.
    """
    access_token = tokens.access_token
    if access_token is None:
        raise ProviderUnavailable("bad_answer")
    subject = None
    if attempt.nonce is not None:
        subject = _vouched_for(attempt, tokens, access_token)
        tokens = replace(tokens, id_token_is_verified=True)
    userinfo = client.userinfo(access_token)
    # OpenID Connect Core section 5.3.2: the answer of another subject is not to be used.
    if subject is not None and userinfo.get("sub") != subject:
        raise AuthorizationError("userinfo_subject")
    provider = attempt.provider
    identity = read_identity(
        userinfo, uid_path=provider.uid_path, label_path=provider.label_path
    )
    return identity, tokens


def _vouched_for(
    attempt: AuthorizationAttempt, tokens: TokenSet, access_token: Secret
) -> str:
    """Return the subject of the ID token, which an answer to `openid` has to bring."""
    provider = attempt.provider
    if not attempt.issuer or not provider.jwks_uri:
        raise ProviderMisconfigured("provider_incomplete")
    if tokens.id_token is None:
        raise AuthorizationError("id_token_missing")
    expected = Expected(
        issuer=attempt.issuer,
        client_id=attempt.client_id,
        nonce=attempt.reveal("nonce"),
        access_token=access_token,
        jwks_uri=provider.jwks_uri,
    )
    return verify_id_token(tokens.id_token, expected)


def read_identity(
    userinfo: Mapping[str, Any], *, uid_path: str, label_path: str
) -> Identity:
    """
    Find subject and label in a userinfo answer.

    uid_path, label_path: keys joined by dots. Raises AuthorizationError
    ("identity_missing") when there is no usable subject.
    """
    uid = _uid(_follow(userinfo, uid_path))
    label = _text(_follow(userinfo, label_path)) if label_path else ""
    profile = {
        name: text for name in PROFILE_FIELDS if (text := _text(userinfo.get(name)))
    }
    return Identity(uid=uid, label=label or profile.get("name", ""), profile=profile)


def _uid(value: Any) -> str:
    # bool is an int in Python, and is no subject.
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value or len(value) > MAX_LENGTH:
        raise AuthorizationError("identity_missing")
    if not value.isprintable():
        raise AuthorizationError("identity_missing")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        return ""
    return "".join(c for c in value if c.isprintable())[:MAX_LENGTH]


def _follow(document: Any, path: str) -> Any:
    for key in path.split("."):
        if not isinstance(document, Mapping):
            return None
        document = document.get(key)
    return document
