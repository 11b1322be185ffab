"""One authorisation under way: what the callback is checked against."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from oauth_accounts import clock, fields
from oauth_accounts.conf import conf
from oauth_accounts.fields import SealedTextField
from oauth_accounts.models.provider import Provider

if TYPE_CHECKING:
    from oauth_accounts.fields import Secret


class AuthorizationAttempt(models.Model):
    """
    A user on the way to the provider and back.

    Only hashes of the state and of the browser's cookie are stored: whoever reads the
    table cannot finish somebody's authorisation. The provider's issuer, client and
    endpoints are kept as they were at the start (RFC 9700 section 4.4.2).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    state_hash = models.CharField(max_length=64, unique=True)
    browser_hash = models.CharField(max_length=64, db_index=True)
    code_verifier = SealedTextField(null=True)
    nonce = SealedTextField(null=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="+",
        verbose_name=_("user"),
    )
    owner = models.ForeignKey(
        conf.OAUTH_ACCOUNTS_OWNER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("owner"),
    )
    provider = models.ForeignKey(
        Provider,
        on_delete=models.CASCADE,
        related_name="authorization_attempts",
        verbose_name=_("provider"),
    )
    account = models.ForeignKey(
        "oauth_accounts.ConnectedAccount",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="authorization_attempts",
        verbose_name=_("account being reconnected"),
    )
    issuer = models.CharField(_("issuer"), max_length=500, blank=True)
    client_id = models.CharField(_("client ID"), max_length=512)
    authorization_endpoint = models.CharField(max_length=500)
    token_endpoint = models.CharField(max_length=500)
    redirect_uri = models.CharField(_("redirect URI"), max_length=500)
    next = models.CharField(_("next"), max_length=2000, blank=True)
    scopes = models.JSONField(_("scopes"), default=list)
    created_at = models.DateTimeField(_("created"), default=clock.utcnow)
    expires_at = models.DateTimeField(_("expires"), db_index=True)
    consumed_at = models.DateTimeField(_("consumed"), null=True, blank=True)

    # Whether the owner had an account at the provider when the callback came; a hint.
    owner_is_known = True

    class Meta:
        verbose_name = _("authorization attempt")
        verbose_name_plural = _("authorization attempts")
        default_permissions = ("delete", "view")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return str(self.pk)

    def save(self, *args: Any, **kwargs: Any) -> None:
        if getattr(self, "expires_at", None) is None:
            lifetime = timedelta(seconds=conf.OAUTH_ACCOUNTS_ATTEMPT_TTL)
            self.expires_at = self.created_at + lifetime
        super().save(*args, **kwargs)

    def sealing_context(self, field_name: str) -> dict[str, str]:
        """Return the place that a sealed value of this row belongs to."""
        return {"c": f"{self._meta.label}.{field_name}", "id": str(self.pk)}

    def reveal(self, field_name: str) -> Secret:
        """Decrypt a sealed column; raises TokenUndecryptable."""
        return fields.reveal(
            getattr(self, field_name), self.sealing_context(field_name)
        )

    def matches(self, provider: Provider) -> bool:
        """Say whether the provider is still the one that the attempt was started at."""
        return all(
            getattr(self, name) == getattr(provider, name)
            for name in (
                "issuer",
                "client_id",
                "authorization_endpoint",
                "token_endpoint",
            )
        )
