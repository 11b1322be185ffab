"""What owners are to be told of by mail: written with the change, sent later."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import models, router
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from oauth_accounts import clock
from oauth_accounts.clock import DatabaseNow
from oauth_accounts.conf import conf
from oauth_accounts.models.provider import Provider

if TYPE_CHECKING:
    from oauth_accounts.models.account import ConnectedAccount

KEPT_FOR = timedelta(days=30)
# Which notice an event of an account gives rise to.
BY_EVENT = {
    "reauth_required": "reauth_required",
    "connected": "connected",
    "reconnected": "reconnected",
    "revoked": "disconnected",
    "deleted": "disconnected",
}
# What the setting calls a kind, where it has no name of its own there.
TOPICS = {"reconnected": "connected"}


class Notice(models.Model):
    """
    A mail that waits, and afterwards what became of it; holds no address and no secret.

    It knows the account by its key only, because it has to outlive it.
    """

    class Kind(models.TextChoices):
        REAUTH_REQUIRED = "reauth_required", _("Reauthorisation required")
        CONNECTED = "connected", _("Connected")
        RECONNECTED = "reconnected", _("Reconnected")
        DISCONNECTED = "disconnected", _("Disconnected")

    class Status(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        SENT = "sent", _("Sent")
        DROPPED = "dropped", _("Not sent")
        FAILED = "failed", _("Given up")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(_("kind"), max_length=32, choices=Kind)
    reason = models.CharField(_("reason"), max_length=64, blank=True)
    account_key = models.UUIDField(_("account ID"))
    generation = models.PositiveBigIntegerField(default=0, editable=False)
    provider = models.ForeignKey(
        Provider,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("provider"),
    )
    # What the mail needs should the account be deleted before it is sent; then wiped.
    snapshot = models.JSONField(default=dict, editable=False)
    status = models.CharField(
        _("status"), max_length=16, choices=Status, default=Status.WAITING
    )
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    last_error = models.CharField(_("last error"), max_length=64, blank=True)
    due_at = models.DateTimeField(_("due"), null=True, default=clock.utcnow)
    lease = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(
        _("time of the change"), default=clock.utcnow, db_index=True
    )
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        default_permissions = ("view",)
        ordering = ["-created_at"]
        indexes = [
            models.Index(
                fields=["due_at"],
                condition=Q(due_at__isnull=False),
                name="oauth_accounts_notice_due",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.account_key}"

    @property
    def topic(self) -> str:
        """What OAUTH_ACCOUNTS_NOTICES calls this kind."""
        return TOPICS.get(self.kind, self.kind)


def record_notice(account: ConnectedAccount, event: str, reason: str = "") -> None:
    """
    Have the owner told of a change, when the settings say so; part of its transaction.

    event: kind of the account's event; of most there is nothing to tell.
    """
    kind = BY_EVENT.get(event)
    if kind is None or TOPICS.get(kind, kind) not in conf.OAUTH_ACCOUNTS_NOTICES:
        return
    Notice.objects.using(account.write_alias).create(
        kind=kind,
        reason=reason,
        account_key=account.pk,
        generation=account.generation,
        provider_id=account.provider_id,
        snapshot={
            "owner": _text(account.owner_id),
            "connected_by": _text(account.connected_by_id),
            "uid": account.uid,
            "label": account.label,
        },
    )


def _text(key: Any) -> str | None:
    return None if key is None else str(key)


def purge_notices() -> int:
    """Delete notices that are older than a month and return how many there were."""
    rows = Notice.objects.using(router.db_for_write(Notice))
    return rows.filter(created_at__lt=DatabaseNow() - KEPT_FOR).delete()[0]
