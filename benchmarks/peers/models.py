"""The table that people who write it themselves have: tokens in eagerly decrypted columns."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from fernet_fields import EncryptedTextField


class HandWrittenToken(models.Model):
    """One row for each connected account, encrypted as django-fernet-fields does it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True)
    uid = models.CharField(max_length=255, unique=True)
    access_token = EncryptedTextField()
    refresh_token = EncryptedTextField()
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.uid
