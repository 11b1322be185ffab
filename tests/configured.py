"""A provider as it stands in settings."""

from __future__ import annotations

SECRET = "client-secret-of-example-51c7"
EXAMPLE = {
    "client_id": "id-1",
    "client_secret": SECRET,
    "issuer": "https://as.example",
    "authorization_endpoint": "https://as.example/authorize",
    "token_endpoint": "https://as.example/token",
    "userinfo_endpoint": "https://as.example/userinfo",
    "scopes": ["read"],
}
