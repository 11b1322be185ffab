"""Made-up providers in each state that a provider can be in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from example_project.site.seed.keys import provider_key
from oauth_accounts.models import Provider

BASE = f"{settings.PROVIDER}/made-up"


@dataclass(frozen=True, kw_only=True)
class Service:
    """
    A made-up provider.

    scopes: with their meaning in words, where there is one. share: its part of the crowd's
    accounts. state: columns that only UPDATEs write, with
    spans of time for dates from now.
    """

    slug: str
    name: str
    scopes: dict[str, str]
    share: int = 0
    fields: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)


SERVICES = (
    Service(
        slug="octoforge",
        name="Octoforge",
        scopes={
            "repo:read": "Read your repositories",
            "repo:write": "Change your repositories",
            "profile": "",
        },
        share=38,
    ),
    Service(
        slug="harbor-drive",
        name="Harbor Drive",
        scopes={"files.read": "Read your files", "files.write": "Save files"},
        share=26,
        fields={
            "max_refreshes_per_minute": 600,
            "grants_url": f"{settings.PROVIDER}/",
        },
    ),
    Service(
        slug="pigeon-mail",
        name="Pigeon Mail",
        scopes={
            "mail.read": "Read your mail",
            "mail.send": "Send mail as you",
            "offline_access": "",
        },
        share=18,
        fields={"keepalive_interval": 7 * 86_400},
    ),
    Service(
        slug="ledgerline",
        name="Ledgerline",
        scopes={"invoices": "Write invoices", "contacts": "Read your customers"},
        share=9,
        # Long enough for a look around: at the end of it a worker would call again.
        state={
            "paused_until": timedelta(hours=22),
            "pause_reason": "invalid_client",
            "pause_count": 3,
        },
    ),
    Service(
        slug="tidal-calendar",
        name="Tidal Calendar",
        scopes={
            "calendar.read": "Read your calendar",
            "calendar.write": "Make appointments",
        },
        share=6,
        # Half open: the pause is over, and nobody has called since.
        state={
            "paused_until": timedelta(minutes=-3),
            "pause_reason": "unavailable",
            "pause_count": 1,
        },
    ),
    Service(
        slug="old-crm",
        name="Old CRM",
        scopes={"customers": ""},
        share=3,
        fields={"enabled": False},
    ),
    # Without its secret nobody can connect.
    Service(
        slug="new-wiki",
        name="New Wiki",
        scopes={"pages.read": ""},
        fields={"client_secret": None},
    ),
    # Altered past the app: nothing is sent to an address that nobody vouched for.
    Service(
        slug="moving-maps",
        name="Moving Maps",
        scopes={"places": "See the places you saved"},
        state={"token_endpoint": f"{settings.PROVIDER}/elsewhere/token"},
    ),
)


def plant(now: datetime) -> dict[str, Provider]:
    """Write the providers, as they are described, and return them by slug."""
    return {service.slug: _plant(service, now) for service in SERVICES}


def _plant(service: Service, now: datetime) -> Provider:
    values = {
        **_addresses(service.slug),
        "name": service.name,
        "scopes": list(service.scopes),
        "scope_descriptions": {
            name: text for name, text in service.scopes.items() if text
        },
        **service.fields,
    }
    provider = Provider.objects.filter(slug=service.slug).first()
    if provider is None:
        provider = Provider(pk=provider_key(service.slug), slug=service.slug)
    for name, value in values.items():
        setattr(provider, name, value)
    provider.pin()
    provider.save()
    breaker = {
        "paused_until": None,
        "pause_reason": "",
        "pause_count": 0,
        "probe_until": None,
    }
    Provider.objects.filter(pk=provider.pk).update(
        **breaker
        | {
            name: now + value if isinstance(value, timedelta) else value
            for name, value in service.state.items()
        }
    )
    return provider


def _addresses(slug: str) -> dict[str, Any]:
    base = f"{BASE}/{slug}"
    return {
        "client_id": f"example-site-at-{slug}",
        "client_secret": f"made-up-secret-of-{slug}",
        "issuer": base,
        "authorization_endpoint": f"{base}/authorize",
        "token_endpoint": f"{base}/token",
        "revocation_endpoint": f"{base}/revoke",
        "userinfo_endpoint": f"{base}/userinfo",
        "api_base_url": f"{base}/api/",
        "label_path": "name",
        "code_challenge_methods_supported": ["S256"],
        "enabled": True,
    }
