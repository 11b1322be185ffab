"""A state as a pill: always a word, and a colour besides."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

GOOD, INFO, WARNING, BAD, OFF = "good", "info", "warning", "bad", "off"

# Tone and word of each state; the colours of the tones are in admin.css.
STATES: dict[str, tuple[str, StrPromise]] = {
    # accounts
    "active": (GOOD, _("Active")),
    "needs_reauth": (WARNING, _("Needs reauthorisation")),
    "disabled": (OFF, pgettext_lazy("account", "Disabled")),
    "revoked": (OFF, _("Revoked")),
    "undecryptable": (BAD, _("Undecryptable")),
    # providers, which are disabled as well
    "ready": (GOOD, _("Ready")),
    "paused": (WARNING, _("Paused")),
    "trial": (INFO, _("Trial calls")),
    "incomplete": (WARNING, _("Incomplete")),
    "in_doubt": (BAD, _("Addresses in doubt")),
    # revocations
    "pending": (INFO, _("Pending")),
    "confirmed": (GOOD, _("Confirmed")),
    "unsupported": (WARNING, _("Not supported by the provider")),
    "failed": (BAD, _("Given up")),
    # accounts of a bulk action
    "item_waiting": (INFO, _("Waiting")),
    "item_queued": (INFO, _("Due for a refresh")),
    "item_done": (GOOD, _("Done")),
    "item_skipped": (OFF, _("Skipped")),
    "item_failed": (BAD, _("Failed")),
    "superseded": (OFF, _("Connected again before it was sent")),
}


class Styled:
    """Mixin for a ModelAdmin whose pages show pills."""

    class Media:
        css: ClassVar = {"all": ["oauth_accounts/admin.css"]}


def pill(code: str, text: str = "") -> SafeString:
    """
    Return a state as a word on a colour.

    code: one of `STATES`; any other is shown as it is, in grey. text: instead of the
    state's own word.
    """
    tone, word = STATES.get(code, (OFF, code))
    return toned(tone, text or str(word))


def toned(tone: str, text: str) -> SafeString:
    """Return any word on one of the five colours."""
    return format_html(
        '<span class="oauth-accounts-pill oauth-accounts-pill--{}">{}</span>',
        tone,
        text,
    )
