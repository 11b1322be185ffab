"""When the background work last began: one row, which the admin's overview stands for."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import Error, connections, models, router
from django.utils.translation import gettext_lazy as _

from oauth_accounts.clock import DatabaseNow

ROW = 1


class HealthManager(models.Manager["Health"]):
    def note_sweep(self) -> bool:
        """
        Note that a sweep begins now; return whether that was possible.

        One small write, which a sweep can do without: nothing is raised where the
        database refuses it, such as before the table was made. Inside a transaction
        nothing is written, because the row would stay locked until its end and every
        other sweep would wait for it.
        """
        alias = router.db_for_write(self.model)
        connection = connections[alias]
        if connection.in_atomic_block or not connection.get_autocommit():
            return False
        rows = self.using(alias)
        try:
            if not rows.filter(pk=ROW).update(swept_at=DatabaseNow()):
                now: Any = DatabaseNow()
                rows.bulk_create([Health(pk=ROW, swept_at=now)], ignore_conflicts=True)
        except Error:
            return False
        return True


class Health(models.Model):
    """
    What the background work says of itself.

    The admin shows its overview in the place of a list of this one row. There are no
    permissions for it: the page asks for those on accounts and providers.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=ROW, editable=False)
    swept_at = models.DateTimeField(_("last sweep began"), null=True, editable=False)

    objects: ClassVar[HealthManager] = HealthManager()

    class Meta:
        verbose_name = _("connected accounts health")
        verbose_name_plural = _("connected accounts health")
        default_permissions = ()

    def __str__(self) -> str:
        return str(self._meta.verbose_name)
