"""Why a provider cannot be deleted."""

from __future__ import annotations

from django.utils.translation import ngettext

from oauth_accounts.models import Provider


def obstacle_of(provider: Provider) -> str:
    """Return why a provider cannot be deleted, or ""."""
    if count := provider.accounts.count():
        text = ngettext(
            "%(name)s cannot be deleted: %(count)d account is connected there. Disable "
            "the provider, or delete the account first.",
            "%(name)s cannot be deleted: %(count)d accounts are connected there. Disable "
            "the provider, or delete the accounts first.",
            count,
        )
        return text % {"name": provider, "count": count}
    if count := provider.pending_revocations.count():
        text = ngettext(
            "%(name)s cannot be deleted: the record of %(count)d revocation refers to it. "
            "Disable the provider instead.",
            "%(name)s cannot be deleted: the records of %(count)d revocations refer to "
            "it. Disable the provider instead.",
            count,
        )
        return text % {"name": provider, "count": count}
    return ""
