"""Whom the provider says the token belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from oauth_accounts.exceptions import AuthorizationError

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
