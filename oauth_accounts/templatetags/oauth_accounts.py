"""Tags for the project's templates."""

from __future__ import annotations

from django import template
from django.urls import reverse

register = template.Library()


@register.simple_tag
def connect_url(slug: str) -> str:
    """
    Return the address that connects an account, for the action of a POST form.

    {% load oauth_accounts %}
    <form method="post" action="{% connect_url "github" %}">{% csrf_token %} ...

    slug: of the provider.
    """
    return reverse("oauth_accounts:connect", args=[slug])
