"""What owners of accounts are told: how it stands, and what they can do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

# By status reason, or by what is computed when the page is shown. Whole sentences, about
# an account at %(provider)s.
ACCOUNT: dict[str, StrPromise] = {
    # active
    "retrying": _(
        "The last try to renew the access failed; it will be tried again. You need not "
        "do anything."
    ),
    "rate_limited": _(
        "%(provider)s asks for fewer requests, so the access is renewed a little later. "
        "You need not do anything."
    ),
    "outcome_unknown": _(
        "%(provider)s did not answer when the access was renewed last; it will be tried "
        "again. You need not do anything."
    ),
    "scopes_narrowed": _("It works, with fewer permissions than were asked for."),
    "provider_paused": _(
        "%(provider)s has problems at the moment. The account goes on by itself when they "
        "are over. You need not do anything."
    ),
    "provider_in_doubt": _(
        "%(provider)s is not set up correctly on this site at the moment. The account is "
        "kept; an administrator has to repair this first."
    ),
    # active, and yet of no use
    "expired": _(
        "The permission has expired and cannot be renewed. Reconnect it to go on using it."
    ),
    "undecryptable": _(
        "This site cannot read the permission that is stored. An administrator can "
        "repair that. Or reconnect it."
    ),
    # needs_reauth
    "invalid_grant": _(
        "%(provider)s no longer accepts the permission it gave. Reconnect it to go on "
        "using it."
    ),
    "refresh_token_expired": _(
        "The permission has expired. Reconnect it to go on using it."
    ),
    "rotation_lost": _(
        "An answer of %(provider)s was lost, and the permission with it. Reconnect it to "
        "go on using it."
    ),
    "identity_changed": _(
        "%(provider)s answered for a different account. Reconnect this one to go on using "
        "it."
    ),
    "admin_request": _(
        "An administrator asked for it to be connected again. Reconnect it to go on "
        "using it."
    ),
    "imported_unverified": _(
        "It was brought over from elsewhere and is not confirmed yet. Reconnect it to go "
        "on using it."
    ),
    # disabled
    "by_admin": _("An administrator has stopped it. Please ask an administrator."),
    "owner_inactive": _(
        "It stands still because its owner is not active. An administrator can change "
        "that."
    ),
    "provider_changed": _(
        "%(provider)s was set up anew on this site since it was connected. Reconnect it "
        "to go on using it."
    ),
    "provider_disabled": _(
        "%(provider)s is switched off on this site. The account is kept, and works again "
        "when an administrator switches it on."
    ),
    # revoked
    "by_owner": _("It was disconnected here. You can connect it again."),
    "revoked_by_admin": _("An administrator has ended it. You can connect it again."),
    "at_provider": _("Access was ended at %(provider)s. You can connect it again."),
}
# What became of the tokens at the provider, by the status of the outbox's row.
ENDING: dict[str, StrPromise] = {
    "pending": _("%(provider)s is being told to end the access."),
    "confirmed": _("%(provider)s has confirmed that the access has ended."),
    "unsupported": _(
        "%(provider)s cannot be told to end the access. Remove it in your account settings "
        "there as well."
    ),
    "failed": _(
        "%(provider)s could not be told to end the access. Remove it in your account "
        "settings there."
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What helps somebody who has not come to an account."""

    name: str
    """Stable, for templates."""

    heading: StrPromise
    """Of the page."""

    action: StrPromise | None = None
    """What the link to it says; None where nothing can be done on a page."""


AGAIN = Step(name="again", heading=_("That did not work"), action=_("Try again"))
ANOTHER = Step(
    name="another",
    heading=_("This account cannot be connected"),
    action=_("Choose another account"),
)
RELOAD = Step(
    name="reload",
    heading=_("Not at the moment"),
    action=_("Load this page again"),
)
LATER = Step(name="later", heading=_("Not at the moment"), action=_("Try again"))
ADMINISTRATOR = Step(name="administrator", heading=_("This needs an administrator"))
CHOOSE = Step(name="choose", heading=_("That is not here"))
CONNECTED = Step(name="connected", heading=_("Connected"))
DENIED = Step(name="denied", heading=_("Access was not granted"), action=_("Try again"))

# By the code of an error; the provider's own of RFC 6749 section 4.1.2.1 and OpenID
# Connect Core section 3.1.2.6 among them.
NEXT: dict[str, Step] = {
    "access_denied": DENIED,
    "account_deleted": AGAIN,
    "account_in_use": ANOTHER,
    "account_selection_required": AGAIN,
    "account_unknown": CHOOSE,
    "consent_required": DENIED,
    "disabled_by_admin": ADMINISTRATOR,
    "identity_mismatch": ANOTHER,
    "identity_missing": ADMINISTRATOR,
    "interaction_required": AGAIN,
    "invalid_request": ADMINISTRATOR,
    "invalid_scope": ADMINISTRATOR,
    "login_required": AGAIN,
    "other_owner": AGAIN,
    "other_user": AGAIN,
    "owner_missing": ADMINISTRATOR,
    "provider_busy": RELOAD,
    "provider_disabled": ADMINISTRATOR,
    "provider_paused": RELOAD,
    "provider_unknown": CHOOSE,
    "server_error": LATER,
    "temporarily_unavailable": LATER,
    "unauthorized_client": ADMINISTRATOR,
    "unsupported_response_type": ADMINISTRATOR,
    "user_inactive": ADMINISTRATOR,
}
# By what helps according to the error itself.
NEXT_BY_RECOVERY: dict[str, Step] = {"retry": LATER, "reauth": AGAIN}


def describe(code: str, provider: object) -> str:
    """Return what the owner of an account is told about its state, "" for nothing."""
    return str(ACCOUNT.get(code, "")) % {"provider": provider}


def describe_ending(status: str, provider: object) -> str:
    """Return what the provider made of a disconnection. status: of the outbox's row."""
    # Superseded is about an earlier connection, which another one took the place of.
    return str(ENDING.get(status, "")) % {"provider": provider}


def next_step(code: str, recovery: str) -> Step:
    """Return what helps after an error; recovery: as the error has it."""
    return NEXT.get(code) or NEXT_BY_RECOVERY.get(recovery, ADMINISTRATOR)
