"""What state an account is in, and what an administrator does about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from oauth_accounts import clock, keyring, reasons
from oauth_accounts.admin.filters import OVERDUE, UNDECRYPTABLE
from oauth_accounts.models import ConnectedAccount

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

_ASK_OWNER = _("Ask its owner to connect it again.")

# By reason first, then by status.
NEXT_STEPS: dict[str, StrPromise] = {
    "scopes_narrowed": _(
        "If the missing permissions are needed, ask its owner to connect it again and "
        "to grant them."
    ),
    "owner_inactive": _("It works again once its owner is active."),
    "provider_changed": _(
        "Enable it when the provider's addresses are again those that it was connected "
        "at. If the provider has moved, ask its owner to connect it again, or move all "
        "accounts with: manage.py oauth_accounts rebind"
    ),
    UNDECRYPTABLE: _(
        "Put the key that it was sealed with back into FERNET_KEYS. Nothing is lost "
        "until then."
    ),
    "needs_reauth": _ASK_OWNER,
    "disabled": _("Enable it when it may be used again."),
    "revoked": _("Only its owner can bring it back, by connecting again."),
}


def states_of(account: ConnectedAccount) -> list[str]:
    """Return the stored status, and whether the key says that the tokens cannot be read."""
    if account.status == ConnectedAccount.Status.REVOKED or _key_is_known(account):
        return [account.status]
    if account.status == ConnectedAccount.Status.ACTIVE:
        return [UNDECRYPTABLE]
    return [account.status, UNDECRYPTABLE]


def is_overdue(account: ConnectedAccount) -> bool:
    """Say whether the sweep should have been here by now."""
    due = account.refresh_due_at
    return due is not None and due < clock.utcnow() - OVERDUE


def reason_for(account: ConnectedAccount) -> str:
    """Say in words why the account is in its state; "" where there is nothing to say."""
    codes = [account.status_reason] if account.status_reason else []
    if UNDECRYPTABLE in states_of(account):
        codes.append(UNDECRYPTABLE)
    if codes:
        return " ".join(map(reasons.describe_account, codes))
    return gettext("Its refresh is overdue.") if is_overdue(account) else ""


def next_step(account: ConnectedAccount) -> str:
    """Say what to do next; "" for nothing."""
    states = states_of(account)
    if states == [ConnectedAccount.Status.ACTIVE] and is_overdue(account):
        return gettext(
            "Check that Celery beat or “manage.py oauth_accounts refresh” is running, "
            "and that its provider is not paused."
        )
    steps = [] if states == [UNDECRYPTABLE] else [_step(account)]
    if UNDECRYPTABLE in states:
        steps.insert(0, NEXT_STEPS[UNDECRYPTABLE])
    return " ".join(str(step) for step in steps if step)


def _step(account: ConnectedAccount) -> StrPromise | None:
    return NEXT_STEPS.get(account.status_reason) or NEXT_STEPS.get(account.status)


def _key_is_known(account: ConnectedAccount) -> bool:
    """Say whether the row's key is configured, by its id alone: a list decrypts nothing."""
    # A row that names no key has nothing that is sealed.
    return not account.key_id or account.key_id in (keyring.ids_at_hand() or ())
