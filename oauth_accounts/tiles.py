"""What stands beside a provider's name: its icon, or the first letter on a colour."""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import Any

from django.core.signals import setting_changed
from django.core.validators import slug_re
from django.dispatch import receiver
from django.template import Template, TemplateDoesNotExist, loader
from django.template.backends.django import Template as BackendTemplate

# Colours in the stylesheet, as the classes oa-hue-0 and so on.
HUES = 12


def hue_of(slug: str) -> int:
    """Return which of the stylesheet's colours a provider has, always the same."""
    return zlib.crc32(slug.encode(errors="replace")) % HUES


def letter_of(name: str) -> str:
    """Return the first letter or digit of a name in upper case, "" for none."""
    first = next((character for character in name if character.isalnum()), "")
    return first.upper()[:1]


# The file systems and apps of all template folders are not to be asked at each request.
@lru_cache(maxsize=500)
def icon_of(slug: str) -> Template | None:
    """
    Return the project's template oauth_accounts/icons/<slug>.html, None where there is none.

    It is looked for once in the life of a process.
    """
    # Else it was written by SQL, and is not going to become part of a path.
    if not slug_re.match(slug):
        return None
    try:
        found: Any = loader.get_template(f"oauth_accounts/icons/{slug}.html")
    except TemplateDoesNotExist:
        return None
    # What another engine (Jinja2) made cannot be included in a template of Django's.
    return found.template if isinstance(found, BackendTemplate) else None


@receiver(setting_changed, dispatch_uid="oauth_accounts.tiles")
def _forget(setting: str, **_kwargs: Any) -> None:
    if setting in {"TEMPLATES", "INSTALLED_APPS"}:
        icon_of.cache_clear()
