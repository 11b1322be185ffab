"""What has to happen in the same transaction as somebody else's change."""

from __future__ import annotations

from typing import Any

from django.apps import apps as current_apps
from django.db import router
from django.db.models import QuerySet
from django.db.models.signals import post_migrate, post_save, pre_delete
from django.dispatch import receiver

from oauth_accounts import reactions
from oauth_accounts.conf import conf
from oauth_accounts.models.account import ConnectedAccount
from oauth_accounts.models.event import AccountEvent, PendingRevocation
from oauth_accounts.models.provider import Provider
from oauth_accounts.models.sync import sync_providers


@receiver(pre_delete, sender=ConnectedAccount)
def keep_tokens_of_deleted_account(
    instance: ConnectedAccount, using: str, **kwargs: Any
) -> None:
    """Put the tokens in the outbox, so that a cascade revokes too (no HTTP here)."""
    AccountEvent.objects.using(using).create(
        kind=AccountEvent.Kind.DELETED,
        account_key=instance.pk,
        provider_id=instance.provider_id,
    )
    row = (
        ConnectedAccount._base_manager.using(using)
        .filter(pk=instance.pk)
        # Locked, and so the newest whatever the isolation level: a refresh that comes
        # after this finds no row, and hands its tokens to the outbox itself.
        .select_for_update()
        .values("access_token", "refresh_token")
        .first()
    )
    if row is None or not any(row.values()):
        return
    # The account is about to go: the outbox row must not point at it.
    PendingRevocation.objects.using(using).create(
        provider_id=instance.provider_id,
        account_key=instance.pk,
        reason="deleted",
        **row,
    )


@receiver(pre_delete, sender=ConnectedAccount)
def tell_of_deleted_account(
    instance: ConnectedAccount, origin: Any = None, **kwargs: Any
) -> None:
    """Have the owner told, unless the account goes together with its owner."""
    deleted = origin.model if isinstance(origin, QuerySet) else type(origin)
    if deleted is ConnectedAccount and instance.status != instance.Status.REVOKED:
        instance.notify("deleted", "deleted")


@receiver(post_save, sender=conf.OAUTH_ACCOUNTS_OWNER_MODEL)
def follow_activity_of_owner(
    instance: Any, created: bool, update_fields: Any, **kwargs: Any
) -> None:
    """Disable the accounts of an owner who is deactivated, enable them on return."""
    active = getattr(instance, "is_active", None)
    if (
        created
        or active is None
        or not (update_fields is None or "is_active" in update_fields)
    ):
        return
    rows = ConnectedAccount.objects.filter(owner=instance)
    if active:
        rows = rows.filter(status="disabled", status_reason="owner_inactive")
        for account in rows:
            reactions.enable(account)
    else:
        for account in rows.filter(status="active"):
            reactions.disable(account, "owner_inactive")


@receiver(post_migrate)
def sync_providers_of_settings(
    sender: Any, using: str, apps: Any = current_apps, **kwargs: Any
) -> None:
    """Write OAUTH_ACCOUNTS_PROVIDERS to rows once their table is as the code wants it."""
    if sender.name != "oauth_accounts":
        return
    if router.allow_migrate_model(using, Provider) and _is_current(apps):
        sync_providers(using=using)


def _is_current(apps: Any) -> bool:
    """Say whether the migrated state of Provider has the fields of this version."""
    try:
        migrated = apps.get_model("oauth_accounts", "Provider")
    except LookupError:
        return False
    current = {field.name for field in Provider._meta.concrete_fields}
    return current == {field.name for field in migrated._meta.concrete_fields}
