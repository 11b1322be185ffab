"""Which fields a provider's page has, for whom and in which state."""

from __future__ import annotations

from oauth_accounts.admin import comparison
from oauth_accounts.forms import SECRET_FIELDS
from oauth_accounts.models import Provider

STORED = "_stored_secrets"


def note_stored(provider: Provider) -> None:
    """Remember which secrets are stored: a form changes them even when it is invalid."""
    stored = {name for name in SECRET_FIELDS if getattr(provider, name) is not None}
    provider.__dict__[STORED] = stored


def shown_fields(
    names: tuple[str, ...], obj: Provider | None, writable: bool
) -> list[str | tuple[str, str]]:
    """Put inputs in the place of secrets, or hints where nothing can be entered."""
    shown: list[str | tuple[str, str]] = []
    for name in names:
        if name == "comparison":
            if writable and obj is not None and comparison.can_be_compared(obj):
                shown.append(name)
        elif name not in SECRET_FIELDS:
            shown.append(name)
        elif not writable:
            shown.append(f"{name}_hint")
        elif obj is not None and name in obj.__dict__.get(STORED, ()):
            shown.append((f"new_{name}", f"remove_{name}"))
        else:
            shown.append(f"new_{name}")
    return shown
