"""Scopes in the words of the people who give them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

# OpenID Connect Core sections 3.1.2.1, 5.4 and 11.
STANDARD: dict[str, StrPromise] = {
    "openid": _("Recognise your account"),
    "profile": _("Read your name and profile"),
    "email": _("Read your email address"),
    "address": _("Read your postal address"),
    "phone": _("Read your phone number"),
    "offline_access": _("Stay connected while you are away"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Permission:
    """A scope as a page shows it."""

    scope: str
    """As the provider spells it."""

    words: str
    """What it means, in the language of the request; "" when nobody has said."""


def describe(scopes: Iterable[Any], own: Any) -> list[Permission]:
    """
    Return the permissions behind scopes, in their order, each once.

    own: the provider's `scope_descriptions`; they go before the built-in words, and are
    looked up in the catalogues of the project's translations.
    """
    described = own if isinstance(own, Mapping) else {}
    return [
        Permission(scope=scope, words=_words(scope, described))
        for scope in dict.fromkeys(map(str, scopes))
    ]


def _words(scope: str, described: Mapping[str, Any]) -> str:
    # What is no text, or none at all, was written by SQL; "" has a meaning of its own.
    if (text := described.get(scope)) and isinstance(text, str):
        return gettext(text)
    return str(STANDARD.get(scope, ""))
