"""In which state a provider is: a pill, and a sentence where a word is not enough."""

from __future__ import annotations

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from oauth_accounts.admin import addresses, badges, breaker
from oauth_accounts.models import Provider
from oauth_accounts.models.provider import missing_configuration


def shown(provider: Provider) -> SafeString:
    """Return the state of a stored provider, the gravest first."""
    code, sentence = _of(provider)
    if not sentence:
        return badges.pill(code)
    return format_html(
        '{} <span class="oauth-accounts-words">{}</span>', badges.pill(code), sentence
    )


def _of(provider: Provider) -> tuple[str, str]:
    if not provider.enabled:
        return "disabled", gettext("Nobody can connect, nothing is refreshed.")
    if in_doubt := addresses.summary(provider):
        return "in_doubt", in_doubt
    if names := missing_configuration(provider):
        labels = ", ".join(label_of(name) for name in names)
        text = gettext("Enter: %(names)s") % {"names": labels}
        return "incomplete", text
    if paused := breaker.summary(provider):
        return "paused" if breaker.is_open(provider) else "trial", paused
    return "ready", ""


def label_of(name: str) -> str:
    """Return what a column is called."""
    return str(Provider._meta.get_field(name).verbose_name)  # type: ignore[union-attr]
