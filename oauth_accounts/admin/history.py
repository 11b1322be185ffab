"""What happened to one account, and what is known of its tokens at the provider."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from oauth_accounts import reasons
from oauth_accounts.admin import badges, moments
from oauth_accounts.models import AccountEvent, ConnectedAccount

EVENTS_SHOWN = 20


def table(account: ConnectedAccount, site: str) -> SafeString:
    """
    Return the latest events as a table, and the way to all of them.

    site: name of the AdminSite.
    """
    events = account.events.select_related("actor").order_by("-created_at")
    rows = list(events[:EVENTS_SHOWN])
    address = reverse("admin:oauth_accounts_accountevent_changelist", current_app=site)
    heads = (gettext("Time"), gettext("Event"), gettext("Reason"), gettext("Actor"))
    body = format_html_join("", _ROW, (_cells(event) for event in rows))
    return format_html(
        '<div class="oauth-accounts-events" tabindex="0" role="region" '
        'aria-label="{}"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>'
        '</div><p><a href="{}?account_key={}">{}</a></p>',
        gettext("Latest events"),
        format_html_join("", '<th scope="col">{}</th>', ((head,) for head in heads)),
        body or format_html('<tr><td colspan="4">{}</td></tr>', gettext("None yet.")),
        address,
        account.pk,
        gettext("All events"),
    )


_ROW = "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>"


def _cells(event: AccountEvent) -> tuple[Any, ...]:
    return (
        moments.relative(event.created_at),
        event.get_kind_display(),
        explained(event.reason),
        # What the app did by itself has no actor.
        event.actor or gettext("by itself"),
    )


def explained(code: str) -> str:
    """Return what a code means, with the code."""
    text = reasons.describe_account(code)
    return code if text == code else f"{text} ({code})"


def revocation(account: ConnectedAccount) -> SafeString | str:
    """Say whether the provider was told of the latest revocation, and what it said."""
    pending = account.pending_revocations.order_by("-created_at").first()
    if pending is None:
        return gettext("No token of it had to be revoked.")
    lines: list[str] = [badges.pill(pending.status)]
    if pending.last_error:
        lines.append(explained(pending.last_error))
    if (moment := pending.finished_at or pending.due_at) is not None:
        lines.append(moments.relative(moment) or "")
    return format_html_join(" ", "{}", ((line,) for line in lines))


def scopes(names: Any) -> SafeString | str:
    """Return permissions one to a line."""
    if names is None:
        return gettext("The provider does not say.")
    if not isinstance(names, list) or not names:
        return gettext("None.")
    lines = format_html_join("", "<li><code>{}</code></li>", ((n,) for n in names))
    return format_html('<ul class="oauth-accounts-scopes">{}</ul>', lines)
