"""What a client has to know of its registration at a provider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from oauth_accounts.fields import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientConfig:
    """One registration at one provider; endpoint names of RFC 8414, "" = none."""

    client_id: str
    client_secret: Secret | None = None
    token_endpoint_auth_method: str = "client_secret_basic"  # noqa: S105
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    revocation_endpoint: str = ""
    userinfo_endpoint: str = ""
    scopes: tuple[str, ...] = ()
    scope_separator: str = " "
    authorization_params: Mapping[str, str] = field(default_factory=dict)
    """Added to every authorisation URL."""
    token_params: Mapping[str, str] = field(default_factory=dict)
    """Added to every code exchange."""
    refresh_params: Mapping[str, str] = field(default_factory=dict)
    """Added to every refresh."""
