"""What a change does to connected accounts, told before it is saved."""

from __future__ import annotations

from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from oauth_accounts.admin.tallies import in_words
from oauth_accounts.models import Provider
from oauth_accounts.moving import Stake

TITLE = _("Before this is saved")
FIELD = "confirm_move"


def is_asked_for(form: Any) -> bool:
    """Say whether the form that is shown again wants a tick, or has it already."""
    return form.is_bound and (FIELD in form.errors or bool(form.data.get(FIELD)))


def fieldset(form: Any, provider: Provider) -> tuple[Any, dict[str, Any]]:
    """Return the part of the form that explains, and has the tick."""
    return TITLE, {
        "fields": [FIELD],
        "description": explanation(form.stake, provider),
        "classes": ("oauth-accounts-consent",),
    }


def explanation(stake: Stake | None, provider: Provider) -> SafeString:
    """Say how many accounts are concerned, what their owners have to do, and what else."""
    lines = [] if stake is None else _lines(stake, provider)
    lines.append(
        gettext(
            "To go on, set the tick, and enter stored secrets once more where an address "
            "was changed: what is entered is not kept between two tries."
        )
    )
    return format_html_join("", "<p>{}</p>", ((line,) for line in lines))


def _lines(stake: Stake, provider: Provider) -> list[Any]:
    number = {"number": in_words(stake.number)}
    if stake.kind == "client_id":
        return [
            ngettext(
                "%(number)s active account was connected under the client ID that is "
                "stored. Most services refuse its refresh token under another one, and "
                "then its owner has to connect it again.",
                "%(number)s active accounts were connected under the client ID that is "
                "stored. Most services refuse their refresh tokens under another one, and "
                "then their owners have to connect them again.",
                stake.number,
            )
            % number,
            _alternative(),
        ]
    return [
        ngettext(
            "Saving stops %(number)s active account, because the provider comes to be "
            "elsewhere. Its token is neither refreshed nor handed out until its owner "
            "connects it again.",
            "Saving stops %(number)s active accounts, because the provider comes to be "
            "elsewhere. Their tokens are neither refreshed nor handed out until their "
            "owners connect them again, one by one.",
            stake.number,
        )
        % number,
        format_html(
            "{} <code>manage.py oauth_accounts rebind {}</code>",
            gettext(
                "If it is the same provider under other addresses, and what users granted "
                "goes on there, save this and bring all of them back at once with:"
            ),
            provider.slug,
        ),
        _alternative(),
    ]


def _alternative() -> str:
    return gettext(
        "If it is another provider, leave this one as it is and add the other beside it: "
        "accounts then move when their owners connect them there."
    )
