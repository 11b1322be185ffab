from __future__ import annotations

import uuid

from django.db import models


class Country(models.Model):
    """What the app's first migration makes; the owner comes in the second."""

    name = models.CharField(max_length=100)

    def __str__(self):
        return self.name


class Organisation(models.Model):
    """An owner that is no user: UUID key, no `is_active`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    name = models.CharField(max_length=100)
    country = models.ForeignKey(
        Country, on_delete=models.PROTECT, null=True, blank=True
    )

    def __str__(self):
        return self.name
