"""Secrets on a provider's page: whether one is stored, which, and a way to replace it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from django import forms
from django.core.exceptions import ImproperlyConfigured
from django.utils.formats import localize
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from oauth_accounts import keyring, moving
from oauth_accounts.admin.sections import stored_names
from oauth_accounts.models import AccountEvent, Provider

KEEP = _("Leave it empty to keep what is stored.")
ENTER = _("Enter the one that is stored, to show that you may decide about addresses.")
KEEP_OR_PROVE = _(
    "Leave it empty to keep what is stored. Enter the stored one when you change an "
    "address: accounts are connected."
)


class FoldedSecret(forms.Widget):
    """
    An input behind a line that says what is stored; it opens without JavaScript.

    inner: the input. state: the line. is_open: whether somebody has to look at the input.
    """

    def __init__(self, inner: Any, state: SafeString, *, is_open: bool) -> None:
        super().__init__(inner.attrs)
        self.inner, self.state, self.is_open = inner, state, is_open

    def render(self, *args: Any, **kwargs: Any) -> SafeString:
        return format_html(
            '<div class="oauth-accounts-secret">{}<details{}><summary>{}</summary>{}'
            "</details></div>",
            self.state,
            " open" if self.is_open else "",
            gettext("Replace"),
            self.inner.render(*args, **kwargs),
        )

    def value_from_datadict(self, *args: Any) -> Any:
        return self.inner.value_from_datadict(*args)


def fold_secrets(form: Any, provider: Provider, *, needed: bool) -> None:
    """
    Put the inputs of stored secrets behind what is known of them.

    form: as it is about to be shown. needed: whether they have to be entered once more.
    """
    in_doubt = "accept_addresses" in form.fields
    hint = KEEP
    if moving.holds_tokens(provider):
        hint = ENTER if in_doubt else KEEP_OR_PROVE
    for name in stored_names(provider):
        field = form.fields.get(f"new_{name}")
        if field is None:
            continue
        is_open = needed or hint is ENTER or f"new_{name}" in form.errors
        state = description(provider, name)
        field.widget = FoldedSecret(field.widget, state, is_open=is_open)
        # The form has made its bound fields before: it looked for what was entered.
        form[f"new_{name}"].help_text = hint


def description(provider: Provider, name: str) -> SafeString:
    """Say whether a secret is stored, which, and since when; never what it is."""
    if name not in stored_names(provider):
        return format_html("{}", gettext("None is stored."))
    # As it lies in the database: a form has put what was entered in its place by now, and
    # whoever could see the fingerprint of that would try out one after the other.
    stored = provider.stored_row().get()
    lines = (
        gettext("One is stored."),
        _fingerprint(stored, name),
        _changed(stored, name),
    )
    shown = format_html_join(
        " ", "<span>{}</span>", ((line,) for line in lines if line)
    )
    return format_html('<p class="oauth-accounts-stored">{}</p>', shown)


def _fingerprint(provider: Provider, name: str) -> str:
    secret = None
    with suppress(ImproperlyConfigured):
        secret = moving.stored_secret(provider, name)
    if secret is None:
        return gettext(
            "It cannot be read: its key is not in FERNET_KEYS, or it was entered for other "
            "addresses. Enter it again."
        )
    place = f"{provider.pk}.{name}"
    digits = keyring.fingerprint(secret.get_value().encode(), place)
    return format_html(
        "{} <code>{}</code>.", gettext("Fingerprint:"), f"{digits[:4]} {digits[4:]}"
    )


def _changed(provider: Provider, name: str) -> str:
    events = provider.events.filter(
        kind=AccountEvent.Kind.SECRET_CHANGED,
        reason=name,
        # Of no account: the index on it leaves few rows to look at.
        account_key__isnull=True,
    )
    event = events.select_related("actor").order_by("-created_at").first()
    if event is None:
        return ""
    time = localize(localtime(event.created_at))
    if event.actor is None:
        return gettext("Changed on %(time)s.") % {"time": time}
    return gettext("Changed on %(time)s by %(user)s.") % {
        "time": time,
        "user": event.actor,
    }
