"""What happened, what was counted, and what still has to be revoked."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.db import IntegrityError, models, router, transaction
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from oauth_accounts import clock, fields
from oauth_accounts.conf import conf
from oauth_accounts.exceptions import ProviderMisconfigured
from oauth_accounts.fields import SealedTextField
from oauth_accounts.models.provider import Provider

if TYPE_CHECKING:
    from oauth_accounts.fields import Secret


# Rows in one statement, and in one purge.
PURGED_AT_ONCE = 1000
PURGED_AT_MOST = 100_000


class AccountEvent(models.Model):
    """One change of state, written once and never changed; holds no secret."""

    class Kind(models.TextChoices):
        CONNECTED = "connected", _("Connected")
        RECONNECTED = "reconnected", _("Reconnected")
        REAUTH_REQUIRED = "reauth_required", _("Reauthorisation required")
        RECOVERED = "recovered", _("Recovered")
        REFRESH_FAILED = "refresh_failed", _("Refresh failed")
        SCOPES_CHANGED = "scopes_changed", _("Scopes changed")
        REVOKED = "revoked", _("Revoked")
        REVOCATION_CONFIRMED = "revocation_confirmed", _("Revoked at provider")
        REVOCATION_FAILED = "revocation_failed", _("Not revoked at provider")
        DISABLED = "disabled", pgettext_lazy("account", "Disabled")
        ENABLED = "enabled", pgettext_lazy("account", "Enabled")
        DELETED = "deleted", _("Deleted")
        REJECTED = "rejected", _("Callback rejected")
        SECRET_CHANGED = "secret_changed", _("Secret or address changed")
        SECRET_REFUSED = "secret_refused", _("Wrong secret entered")
        KEYS_ROTATED = "keys_rotated", _("Keys rotated")
        PROVIDER_PAUSED = "provider_paused", _("Provider paused")
        PROVIDER_RESUMED = "provider_resumed", _("Provider resumed")
        PROVIDER_ALTERED = "provider_altered", _("Provider altered by SQL")
        PROVIDER_REBOUND = "provider_rebound", _("Provider rebound")
        PROVIDER_ASKED = "provider_asked", _("Provider asked by hand")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(_("kind"), max_length=32, choices=Kind)
    reason = models.CharField(_("reason"), max_length=64, blank=True)
    account = models.ForeignKey(
        "oauth_accounts.ConnectedAccount",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="events",
        verbose_name=_("account"),
    )
    account_key = models.UUIDField(
        _("account ID"),
        null=True,
        blank=True,
        db_index=True,
        help_text=_("Stays when the account is deleted."),
    )
    provider = models.ForeignKey(
        Provider,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="events",
        verbose_name=_("provider"),
    )
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("actor"),
        help_text=_("Empty for what the system did by itself."),
    )
    created_at = models.DateTimeField(_("time"), default=clock.utcnow, db_index=True)

    class Meta:
        verbose_name = _("account event")
        verbose_name_plural = _("account events")
        default_permissions = ("view",)
        ordering = ["-created_at"]
        indexes: ClassVar = [
            models.Index(
                fields=["kind", "-created_at"], name="oauth_accounts_event_kind"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.reason}".strip()


def purge_events() -> int:
    """
    Delete events that are older than the setting says, and return how many there were.

    In batches, and not without end: the next purge goes on.
    """
    days = conf.OAUTH_ACCOUNTS_EVENTS_KEPT
    if days is None:
        return 0
    rows = AccountEvent.objects.using(router.db_for_write(AccountEvent))
    old = rows.filter(created_at__lt=clock.utcnow() - timedelta(days=days))
    keys = old.order_by("created_at").values_list("pk", flat=True)
    deleted = 0
    while deleted < PURGED_AT_MOST and (batch := list(keys[:PURGED_AT_ONCE])):
        deleted += rows.filter(pk__in=batch).delete()[0]
    return deleted


class RefreshStatisticManager(models.Manager["RefreshStatistic"]):
    """Reached as `provider.refresh_statistics`."""

    def record(self, result: str, reason: str = "", count: int = 1) -> None:
        """Add refreshes of this hour to the provider's statistics."""
        hour = clock.utcnow().replace(minute=0, second=0, microsecond=0)
        key = {"hour": hour, "result": result, "reason": reason}
        if self.filter(**key).update(count=F("count") + count):
            return
        try:
            with transaction.atomic(using=self.db):
                self.create(**key, count=count)
        except IntegrityError:
            # Another worker was the first of this hour.
            self.filter(**key).update(count=F("count") + count)


class RefreshStatistic(models.Model):
    """Refreshes of one provider in one hour with one outcome."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    provider = models.ForeignKey(
        Provider,
        on_delete=models.CASCADE,
        related_name="refresh_statistics",
        verbose_name=_("provider"),
    )
    hour = models.DateTimeField(_("hour"))
    result = models.CharField(_("result"), max_length=16)
    reason = models.CharField(_("reason"), max_length=64, blank=True)
    count = models.PositiveBigIntegerField(_("count"), default=0)

    objects: ClassVar[RefreshStatisticManager] = RefreshStatisticManager()

    class Meta:
        verbose_name = _("refresh statistic")
        verbose_name_plural = _("refresh statistics")
        default_permissions = ("delete", "view")
        ordering = ["-hour"]
        indexes: ClassVar = [
            models.Index(fields=["-hour"], name="oauth_accounts_statistic_hour")
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["provider", "hour", "result", "reason"],
                name="oauth_accounts_statistic_unique",
            )
        ]

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H:00} {self.result} {self.count}"


class PendingRevocation(models.Model):
    """
    Tokens that are dead here and have to be revoked at the provider.

    The row outlives account and owner. The tokens stay sealed in the context of the
    account row they came from, so that a row whose key is missing can be moved here too.
    """

    class Status(models.TextChoices):
        PENDING = "pending", _("Pending")
        CONFIRMED = "confirmed", _("Confirmed")
        UNSUPPORTED = "unsupported", _("Not supported by the provider")
        FAILED = "failed", _("Given up")
        SUPERSEDED = "superseded", _("Connected again before it was sent")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    provider = models.ForeignKey(
        Provider,
        on_delete=models.PROTECT,
        related_name="pending_revocations",
        verbose_name=_("provider"),
    )
    account = models.ForeignKey(
        "oauth_accounts.ConnectedAccount",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="pending_revocations",
        verbose_name=_("account"),
    )
    account_key = models.UUIDField(_("account ID"))
    access_token = SealedTextField(null=True)
    refresh_token = SealedTextField(null=True)
    reason = models.CharField(_("reason"), max_length=64, blank=True)
    status = models.CharField(
        _("status"), max_length=16, choices=Status, default=Status.PENDING
    )
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    last_error = models.CharField(_("last error"), max_length=64, blank=True)
    due_at = models.DateTimeField(_("due"), null=True, default=clock.utcnow)
    lease = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=clock.utcnow)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("pending revocation")
        verbose_name_plural = _("pending revocations")
        default_permissions = ("view",)
        ordering = ["-created_at"]
        indexes: ClassVar = [
            models.Index(
                fields=["due_at"],
                condition=Q(due_at__isnull=False),
                name="oauth_accounts_revocation_due",
            ),
            # What was given up is looked for on each visit of the admin's overview.
            models.Index(
                fields=["status", "finished_at"],
                condition=Q(status="failed"),
                name="oauth_accounts_revocation_lost",
            ),
            models.Index(fields=["-created_at"], name="oauth_accounts_revoked_newest"),
            models.Index(
                fields=["status", "-created_at"], name="oauth_accounts_revoked_status"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_status_display()}: {self.account_key}"

    def sealing_context(self, field_name: str) -> dict[str, str]:
        """Return the place the token was sealed for: the account it came from."""
        return {
            "c": f"oauth_accounts.ConnectedAccount.{field_name}",
            "id": str(self.account_key),
            **self.provider.binding(),
        }

    def reveal(self, field_name: str) -> Secret | None:
        """
        Decrypt a token.

        Raises TokenUndecryptable, and ProviderMisconfigured ("provider_changed") when the
        provider moved since.
        """
        value = getattr(self, field_name)
        if value is None:
            return None
        try:
            return fields.reveal(value, self.sealing_context(field_name))
        except fields.WrongContext as error:
            if not error.names <= {"iss", "te"}:
                raise
        raise ProviderMisconfigured("provider_changed")

    def finish(self, status: str, error: str = "") -> None:
        """Record the outcome and wipe the tokens."""
        self.status, self.last_error = status, error
        self.access_token = self.refresh_token = None
        self.lease = self.lease_until = self.due_at = None
        self.finished_at = clock.utcnow()
        self.save()

    def postpone(self, until: datetime, error: str) -> None:
        """Record a failed try and when the next one is due."""
        self.due_at, self.last_error = until, error
        self.lease = self.lease_until = None
        self.save(update_fields=["due_at", "last_error", "lease", "lease_until"])
