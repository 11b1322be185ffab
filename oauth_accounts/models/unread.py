"""Answers that could not be read, kept for a person to recover tokens from."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import models, router
from django.utils.translation import gettext_lazy as _

from oauth_accounts import clock, fields
from oauth_accounts.clock import DatabaseNow
from oauth_accounts.fields import SealedTextField

if TYPE_CHECKING:
    from oauth_accounts.fields import Secret

KEPT_FOR = timedelta(days=7)


class UnreadAnswer(models.Model):
    """
    The body of a successful answer to a refresh that made no sense, sealed.

    It may hold the only refresh token that works from now on. It is never read by the
    engine, and purged after a week.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(
        "oauth_accounts.ConnectedAccount",
        on_delete=models.CASCADE,
        related_name="unread_answers",
        verbose_name=_("account"),
    )
    body = SealedTextField(_("body"))
    created_at = models.DateTimeField(
        _("received"), default=clock.utcnow, db_index=True
    )

    class Meta:
        verbose_name = _("unread answer")
        verbose_name_plural = _("unread answers")
        default_permissions = ()
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return str(self.pk)

    def sealing_context(self, field_name: str) -> dict[str, str]:
        """Return the place that a sealed value of this row belongs to."""
        return {
            "c": f"{self._meta.label}.{field_name}",
            "id": str(self.pk),
            **self.account.provider.binding(),
        }

    def reveal(self, field_name: str) -> Secret:
        """Decrypt a sealed column; raises TokenUndecryptable, also when the provider moved."""
        return fields.reveal(
            getattr(self, field_name), self.sealing_context(field_name)
        )


def purge_unread_answers() -> int:
    """Delete the answers that are older than a week and return how many there were."""
    rows = UnreadAnswer.objects.using(router.db_for_write(UnreadAnswer))
    return rows.filter(created_at__lt=DatabaseNow() - KEPT_FOR).delete()[0]
