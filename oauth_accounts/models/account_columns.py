"""The columns of a connected account."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from oauth_accounts import clock
from oauth_accounts.conf import conf
from oauth_accounts.fields import SealedTextField
from oauth_accounts.models.pin import Pinned
from oauth_accounts.models.provider import Provider

# Written by conditional UPDATEs only. A plain save() leaves them out: an instance read
# before a refresh would write the old refresh token back over the new one.
ENGINE_FIELDS = (
    "access_token",
    "refresh_token",
    "token_secret",
    "id_token",
    "token_type",
    "scopes",
    "issued_at",
    "expires_at",
    "refresh_token_expires_at",
    "status",
    "status_reason",
    "reason_before",
    "last_error",
    "failure_count",
    "refresh_due_at",
    "lease",
    "lease_until",
    "attempt_started_at",
    "generation",
    "key_id",
    "last_refreshed_at",
)


# Of the actions in the admin, besides viewing and deleting.
PERMISSIONS: list[tuple[str, Any]] = [
    ("refresh_connectedaccount", "Can refresh connected account"),
    ("revoke_connectedaccount", "Can revoke connected account"),
    (
        "require_reauth_connectedaccount",
        "Can require reauthorisation of connected account",
    ),
    ("disable_connectedaccount", "Can disable and enable connected account"),
]


class AccountColumns(Pinned):
    """Whose account it is, its tokens, and the state of their refresh."""

    PIN = "pinned_api_base_url"
    PINNED = ("api_base_url",)
    CHANGED = "api_base_url_changed"

    class Status(models.TextChoices):
        ACTIVE = "active", _("Active")
        NEEDS_REAUTH = "needs_reauth", _("Needs reauthorisation")
        REVOKED = "revoked", _("Revoked")
        DISABLED = "disabled", pgettext_lazy("account", "Disabled")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    provider = models.ForeignKey(
        Provider,
        on_delete=models.PROTECT,
        related_name="accounts",
        verbose_name=_("provider"),
    )
    owner = models.ForeignKey(
        conf.OAUTH_ACCOUNTS_OWNER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="connected_accounts",
        verbose_name=_("owner"),
        help_text=_("Empty for accounts of the application itself."),
    )
    connected_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("connected by"),
    )
    uid = models.CharField(_("ID at the provider"), max_length=255)
    identity_key = models.CharField(max_length=64, unique=True, editable=False)
    label = models.CharField(_("label"), max_length=255, blank=True)
    profile = models.JSONField(_("profile"), default=dict, blank=True)

    access_token = SealedTextField(_("access token"), null=True)
    refresh_token = SealedTextField(_("refresh token"), null=True)
    token_secret = SealedTextField(_("token secret"), null=True)
    id_token = SealedTextField(_("ID token"), null=True)
    token_type = models.CharField(_("token type"), max_length=32, default="Bearer")
    api_base_url = models.CharField(
        _("API base URL"),
        max_length=500,
        blank=True,
        help_text=_("For providers whose API lives at an address per tenant."),
    )
    pinned_api_base_url = SealedTextField(
        _("pinned API base URL"), null=True, blank=True
    )
    requested_scopes = models.JSONField(_("requested scopes"), default=list)
    scopes = models.JSONField(
        _("granted scopes"),
        null=True,
        blank=True,
        help_text=_("Empty when the provider does not say."),
    )
    issued_at = models.DateTimeField(_("issued"), null=True, blank=True)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    refresh_token_expires_at = models.DateTimeField(
        _("refresh token expires"), null=True, blank=True
    )

    status = models.CharField(
        _("status"), max_length=16, choices=Status, default=Status.ACTIVE
    )
    status_reason = models.CharField(_("reason"), max_length=64, blank=True)
    # Of a disabled account: why it needed its owner already; empty when it was active.
    reason_before = models.CharField(max_length=64, blank=True, editable=False)
    last_error = models.CharField(_("last error"), max_length=64, blank=True)
    failure_count = models.PositiveIntegerField(_("failures in a row"), default=0)
    refresh_due_at = models.DateTimeField(_("refresh due"), null=True, blank=True)
    lease = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    attempt_started_at = models.DateTimeField(null=True, editable=False)
    generation = models.PositiveBigIntegerField(default=0, editable=False)
    key_id = models.CharField(_("key ID"), max_length=16, blank=True, editable=False)
    last_refreshed_at = models.DateTimeField(_("last refresh"), null=True, blank=True)
    metadata = models.JSONField(_("metadata"), default=dict, blank=True)
    created_at = models.DateTimeField(_("connected"), default=clock.utcnow)

    class Meta:
        abstract = True
