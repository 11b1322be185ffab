"""Tags for the project's templates."""

from __future__ import annotations

from typing import Any

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from oauth_accounts import tiles
from oauth_accounts.models import Provider

register = template.Library()


@register.filter
def isolated(value: object) -> SafeString:
    """
    Keep a name's direction of writing apart from that of the text around it.

    {{ account|isolated }}
    """
    return format_html("<bdi>{}</bdi>", value)


@register.simple_tag
def connect_url(slug: str) -> str:
    """
    Return the address that connects an account, for the action of a POST form.

    {% load oauth_accounts %}
    <form method="post" action="{% connect_url "github" %}">{% csrf_token %} ...

    slug: of the provider.
    """
    return reverse("oauth_accounts:connect", args=[slug])


@register.inclusion_tag("oauth_accounts/_tile.html")
def provider_tile(provider: Provider) -> dict[str, Any]:
    """
    Show a provider's icon, or its first letter on a colour of its own.

    {% load oauth_accounts %}
    {% provider_tile account.provider %}

    It is an ornament, hidden from screen readers: the name has to stand beside it.
    """
    return {
        "provider": provider,
        "icon": tiles.icon_of(provider.slug),
        "letter": tiles.letter_of(provider.name),
        "hue": tiles.hue_of(provider.slug),
    }
