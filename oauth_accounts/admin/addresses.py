"""A provider's addresses in the admin: what was changed by SQL, and what a move stops."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext

from oauth_accounts import moving
from oauth_accounts.admin.links import Links, linked
from oauth_accounts.guidance import ALTERED
from oauth_accounts.models import ConnectedAccount, Provider


def summary(provider: Provider) -> str:
    """Say in one line that nothing is sent to a provider, if so it is; "" otherwise."""
    if not moving.altered_addresses(provider):
        return ""
    return gettext("Nothing is sent: its addresses are in doubt.")


def description(provider: Provider) -> SafeString:
    """Say what was pinned, and what the row says now."""
    rows = format_html_join(
        "",
        # Addresses and the arrow between them are read from the left everywhere.
        '<li>{}: <span dir="ltr">{} → {}</span></li>',
        (
            (_label(name), before or "–", getattr(provider, name) or "–")
            for name, before in moving.altered_addresses(provider).items()
        ),
    )
    return format_html(
        '<p>{}</p><ul class="oauth-accounts-lines">{}</ul><p>{}</p>',
        _finding(),
        rows,
        _remedy(provider),
    )


def follow_up(
    modeladmin: Any,
    request: HttpRequest,
    provider: Provider,
    before: dict[str, str],
    *,
    was_in_doubt: bool,
) -> None:
    """
    Stop the accounts of a provider that moved, and say what has to be done.

    provider: as it was saved. before: where it was. was_in_doubt: whether its addresses
    had been changed by SQL.
    """
    if moving.altered_addresses(provider):
        modeladmin.message_user(request, ALTERED, messages.WARNING)
    elif moving.is_elsewhere(before, moving.addresses_with(provider, {})) and (
        count := moving.pause_accounts(provider, request.user)
    ):
        text = ngettext(
            "%(count)d account was stopped, because the provider is elsewhere now. It "
            "comes back when its owner connects it again, or with: manage.py "
            "oauth_accounts rebind %(slug)s",
            "%(count)d accounts were stopped, because the provider is elsewhere now. They "
            "come back when their owners connect them again, or all at once with: "
            "manage.py oauth_accounts rebind %(slug)s",
            count,
        )
        said = text % {"count": count, "slug": provider.slug}
        modeladmin.message_user(request, said, messages.WARNING)
    elif was_in_doubt and (said := _still_stopped(modeladmin, request, provider)):
        modeladmin.message_user(request, said, messages.WARNING)


def _still_stopped(modeladmin: Any, request: HttpRequest, provider: Provider) -> str:
    """Say how many accounts the doubt has stopped, and where they are enabled."""
    stopped = {"status": ConnectedAccount.Status.DISABLED, "reason": "provider_changed"}
    count = moving.count_up_to_bound(
        provider.accounts.filter(
            status=stopped["status"], status_reason=stopped["reason"]
        )
    )
    if not count:
        return ""
    text = ngettext(
        "%(count)d account was stopped while the addresses were in doubt. Enable it "
        "when it may be used again.",
        "%(count)d accounts were stopped while the addresses were in doubt. Enable them "
        "when they may be used again.",
        count,
    ) % {"count": count}
    address = Links(request, modeladmin.admin_site).accounts_at(
        provider, status__exact=stopped["status"], reason=stopped["reason"]
    )
    return format_html("{} {}", text, linked(gettext("Accounts"), address))


def _finding() -> str:
    return gettext(
        "These were changed by other means than this page, the settings or code, or the "
        "key that would tell is not in FERNET_KEYS. Entered here, and now:"
    )


def _remedy(provider: Provider) -> str:
    if provider.source == Provider.Source.SETTINGS:
        return gettext("Run: manage.py oauth_accounts sync-providers")
    return gettext(
        "Nothing is sent until they are put back, or taken for right below or with: "
        "manage.py oauth_accounts rebind %(slug)s"
    ) % {"slug": provider.slug}


def _label(name: str) -> str:
    return str(Provider._meta.get_field(name).verbose_name)  # type: ignore[union-attr]
