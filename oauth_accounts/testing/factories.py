"""
Factories for factory-boy (`pip install factory-boy`).

    ConnectedAccountFactory(owner=user)                  # a token that lives for an hour
    ConnectedAccountFactory(owner=user, expiring=True)   # one that a sweep would refresh
    ConnectedAccountFactory(owner=user, expired=True)    # one that died an hour ago
    ConnectedAccountFactory(owner=user, access_token="known", scopes=["read"])

Tokens go in as plain text and are sealed on the instance, as a provider's answer is.
"""

# mypy: allow-untyped-calls
# The declarations of factory-boy are not typed.

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from factory.declarations import (
    LazyAttribute,
    LazyFunction,
    Sequence,
    SubFactory,
    Trait,
)
from factory.django import DjangoModelFactory

from oauth_accounts.testing.accounts import give_tokens

if TYPE_CHECKING:
    from oauth_accounts.models import ConnectedAccount, Provider

    AccountBase = DjangoModelFactory[ConnectedAccount]
    ProviderBase = DjangoModelFactory[Provider]
else:
    AccountBase = ProviderBase = DjangoModelFactory

__all__ = ["ConnectedAccountFactory", "ProviderFactory"]

HOUR = 3600
TOKEN_ARGUMENTS = ("access_token", "refresh_token", "expires_in", "age", "scopes")


class ProviderFactory(ProviderBase):
    """A provider with every endpoint, at a host that does not exist (RFC 6761)."""

    class Meta:
        model = "oauth_accounts.Provider"

    class Params:
        host = LazyAttribute(lambda made: f"https://{made.slug}.example")

    slug = Sequence(lambda number: f"provider-{number}")
    name = LazyAttribute(lambda made: made.slug.replace("-", " ").title())
    client_id = LazyAttribute(lambda made: f"client-of-{made.slug}")
    client_secret = LazyFunction(lambda: secrets.token_urlsafe(24))
    issuer = LazyAttribute(lambda made: made.host)
    authorization_endpoint = LazyAttribute(lambda made: f"{made.host}/authorize")
    token_endpoint = LazyAttribute(lambda made: f"{made.host}/token")
    revocation_endpoint = LazyAttribute(lambda made: f"{made.host}/revoke")
    userinfo_endpoint = LazyAttribute(lambda made: f"{made.host}/userinfo")
    api_base_url = LazyAttribute(lambda made: f"{made.host}/api/")
    scopes = LazyFunction(lambda: ["read", "write"])


class ConnectedAccountFactory(AccountBase):
    """
    An account of the application itself, unless an owner is given.

    access_token, refresh_token: plain text; the latter may be None. expires_in: the access
    token's life in seconds, or None. age: seconds since it was issued.
    """

    class Meta:
        model = "oauth_accounts.ConnectedAccount"

    class Params:
        fresh = Trait(expires_in=HOUR, age=0)
        expiring = Trait(expires_in=HOUR, age=HOUR - 60)
        expired = Trait(expires_in=HOUR, age=2 * HOUR)

    provider = SubFactory(ProviderFactory)
    owner = None
    uid = Sequence(lambda number: f"subject-{number}")
    label = LazyAttribute(lambda made: f"{made.uid}@example.com")
    requested_scopes = LazyAttribute(lambda made: list(made.provider.scopes))
    access_token = LazyFunction(lambda: f"access-{secrets.token_hex(12)}")
    refresh_token = LazyFunction(lambda: f"refresh-{secrets.token_hex(12)}")
    expires_in = HOUR
    age = 0
    scopes = LazyAttribute(lambda made: list(made.provider.scopes))

    @classmethod
    def _build(cls, model_class: Any, *args: Any, **kwargs: Any) -> Any:
        tokens = {name: kwargs.pop(name) for name in TOKEN_ARGUMENTS}
        account = model_class(*args, **kwargs)
        give_tokens(account, **tokens)
        return account

    @classmethod
    def _create(cls, model_class: Any, *args: Any, **kwargs: Any) -> Any:
        account = cls._build(model_class, *args, **kwargs)
        account.save(force_insert=True)
        return account
