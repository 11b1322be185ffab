"""What an administrator had done to many accounts, and what became of each."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import ClassVar

from django.conf import settings
from django.db import models, router
from django.utils.translation import gettext_lazy as _

from oauth_accounts import clock

KEPT_FOR = timedelta(days=90)


class BulkAction(models.Model):
    """One order for a number of accounts; it is carried out piece by piece."""

    class Kind(models.TextChoices):
        REFRESH = "refresh", _("Refresh now")
        REVOKE = "revoke", _("Revoke at the provider")
        REQUIRE_REAUTH = "require_reauth", _("Require reauthorisation")
        DISABLE = "disable", _("Disable")
        ENABLE = "enable", _("Enable")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(_("action"), max_length=32, choices=Kind)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("actor"),
    )
    total = models.PositiveIntegerField(_("accounts"), default=0)
    created_at = models.DateTimeField(_("time"), default=clock.utcnow, db_index=True)
    busy_until = models.DateTimeField(null=True, editable=False)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("bulk action")
        verbose_name_plural = _("bulk actions")
        default_permissions = ()
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.total})"


class BulkItem(models.Model):
    """One of its accounts, by key, because the account may be deleted meanwhile."""

    class Outcome(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        QUEUED = "queued", _("Due for a refresh")
        DONE = "done", _("Done")
        SKIPPED = "skipped", _("Skipped")
        FAILED = "failed", _("Failed")

    id = models.BigAutoField(primary_key=True)
    bulk_action = models.ForeignKey(
        BulkAction,
        on_delete=models.CASCADE,
        related_name="items",
        verbose_name=_("bulk action"),
    )
    account_key = models.UUIDField(_("account ID"))
    outcome = models.CharField(
        _("outcome"), max_length=16, choices=Outcome, default=Outcome.WAITING
    )
    reason = models.CharField(_("reason"), max_length=64, blank=True)

    class Meta:
        verbose_name = _("account of a bulk action")
        verbose_name_plural = _("accounts of bulk actions")
        default_permissions = ()
        ordering = ["id"]
        indexes: ClassVar = [
            models.Index(
                fields=["bulk_action", "outcome", "id"], name="oauth_accounts_bulk_next"
            )
        ]

    def __str__(self) -> str:
        return str(self.account_key)


def purge_bulk_actions() -> int:
    """Delete what was ordered three months ago and return how many orders there were."""
    alias = router.db_for_write(BulkAction)
    old = BulkAction.objects.using(alias).filter(
        created_at__lt=clock.utcnow() - KEPT_FOR
    )
    keys = list(old.values_list("pk", flat=True))
    # Without reading them: there may be a hundred thousand to an order.
    BulkItem.objects.using(alias).filter(bulk_action__in=keys).delete()
    old.filter(pk__in=keys).delete()
    return len(keys)
