"""Why a provider cannot be deleted."""

from __future__ import annotations

from django.utils.translation import ngettext

from oauth_accounts import moving
from oauth_accounts.admin.tallies import in_words
from oauth_accounts.models import Provider


def obstacle_of(provider: Provider) -> str:
    """Return why a provider cannot be deleted, or ""."""
    if count := moving.count_up_to_bound(provider.accounts.all()):
        text = ngettext(
            "%(name)s cannot be deleted: %(count)s account belongs to it, perhaps a revoked "
            "one. Disable the provider, or delete the account first.",
            "%(name)s cannot be deleted: %(count)s accounts belong to it, revoked ones "
            "included. Disable the provider, or delete the accounts first.",
            count,
        )
        return text % {"name": provider, "count": in_words(count)}
    if count := moving.count_up_to_bound(provider.pending_revocations.all()):
        text = ngettext(
            "%(name)s cannot be deleted: the record of %(count)s revocation refers to it. "
            "Disable the provider instead.",
            "%(name)s cannot be deleted: the records of %(count)s revocations refer to "
            "it. Disable the provider instead.",
            count,
        )
        return text % {"name": provider, "count": in_words(count)}
    return ""
