"""The columns of a provider; endpoint names are those of RFC 8414."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, router
from django.utils.translation import gettext_lazy as _

from oauth_accounts.fields import SealedTextField
from oauth_accounts.models.pin import Pinned
from oauth_accounts.validators import (
    validate_endpoint,
    validate_link,
    validate_parameters,
    validate_scope_descriptions,
    validate_scopes,
)

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

# The columns that say where secrets are sent; changing one needs the secret again.
ENDPOINT_FIELDS = (
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "revocation_endpoint",
    "introspection_endpoint",
    "userinfo_endpoint",
    "jwks_uri",
    "device_authorization_endpoint",
    "pushed_authorization_request_endpoint",
    "api_base_url",
)

# What no SQL may change unnoticed: where things are sent, and as which client. The slug is
# the end of the redirect URI.
PINNED_FIELDS = ("slug", "client_id", *ENDPOINT_FIELDS)

# Static parameters of the requests to a provider.
PARAMETER_FIELDS = ("authorization_params", "token_params", "refresh_params")
# Objects whose values are text; none of them may be None.
OBJECT_FIELDS = (*PARAMETER_FIELDS, "scope_descriptions")

# Written by conditional UPDATEs only. A plain save() leaves them out.
STATE_FIELDS = (
    "paused_until",
    "pause_reason",
    "pause_count",
    "probe_until",
    "refresh_slots_at",
)
# No duration is longer (ten years); dates past the year 9999 would raise.
MAX_DURATION_SECONDS = 10 * 365 * 86_400


def _endpoint(label: StrPromise) -> models.CharField[str, str]:
    return models.CharField(
        label, max_length=500, blank=True, validators=[validate_endpoint]
    )


def _parameters(label: StrPromise) -> models.JSONField[Any, Any]:
    return models.JSONField(
        label, default=dict, blank=True, validators=[validate_parameters]
    )


def _duration(
    label: StrPromise, help_text: StrPromise
) -> models.PositiveIntegerField[int | None, int | None]:
    return models.PositiveIntegerField(
        label,
        null=True,
        blank=True,
        help_text=help_text,
        validators=[MaxValueValidator(MAX_DURATION_SECONDS)],
    )


class ProviderColumns(Pinned):
    """What is entered about a provider, and its state. Durations are in seconds."""

    PIN = "pinned_addresses"
    PINNED = PINNED_FIELDS
    CHANGED = "provider_changed"

    class Source(models.TextChoices):
        ADMIN = "admin", _("Admin")
        SETTINGS = "settings", _("Settings")

    class Protocol(models.TextChoices):
        OAUTH2 = "oauth2", "OAuth 2.0"
        OAUTH1 = "oauth1", "OAuth 1.0a"

    class GrantType(models.TextChoices):
        AUTHORIZATION_CODE = "authorization_code", _("Authorization code")
        CLIENT_CREDENTIALS = "client_credentials", _("Client credentials")
        DEVICE_CODE = "device_code", _("Device code")

    class ClientAuth(models.TextChoices):
        BASIC = "client_secret_basic", _("HTTP Basic")
        POST = "client_secret_post", _("Request body")
        PRIVATE_KEY_JWT = "private_key_jwt", _("Signed assertion")
        NONE = "none", _("None (public client)")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.SlugField(
        _("slug"),
        max_length=64,
        unique=True,
        help_text=_("Part of the redirect URI. It cannot be changed later."),
    )
    source = models.CharField(
        _("source"),
        max_length=16,
        choices=Source,
        default=Source.ADMIN,
        editable=False,
    )
    name = models.CharField(_("name"), max_length=100)
    preset = models.CharField(_("preset"), max_length=64, blank=True)
    enabled = models.BooleanField(_("enabled"), default=True)
    protocol = models.CharField(
        _("protocol"), max_length=16, choices=Protocol, default=Protocol.OAUTH2
    )
    grant_type = models.CharField(
        _("grant type"),
        max_length=32,
        choices=GrantType,
        default=GrantType.AUTHORIZATION_CODE,
    )

    client_id = models.CharField(_("client ID"), max_length=512, blank=True)
    client_secret = SealedTextField(_("client secret"), null=True, blank=True)
    previous_client_secret = SealedTextField(
        _("previous client secret"), null=True, blank=True
    )
    private_key = SealedTextField(_("private key"), null=True, blank=True)
    token_endpoint_auth_method = models.CharField(
        _("client authentication"),
        max_length=32,
        choices=ClientAuth,
        default=ClientAuth.BASIC,
    )

    issuer = models.CharField(
        _("issuer"),
        max_length=500,
        blank=True,
        help_text=_("Exactly as the provider's metadata spells it."),
    )
    authorization_endpoint = _endpoint(_("authorization endpoint"))
    token_endpoint = _endpoint(_("token endpoint"))
    revocation_endpoint = _endpoint(_("revocation endpoint"))
    introspection_endpoint = _endpoint(_("introspection endpoint"))
    userinfo_endpoint = _endpoint(_("userinfo endpoint"))
    jwks_uri = _endpoint(_("JWKS URI"))
    device_authorization_endpoint = _endpoint(_("device authorization endpoint"))
    pushed_authorization_request_endpoint = _endpoint(
        _("pushed authorization request endpoint")
    )
    api_base_url = _endpoint(_("API base URL"))
    pinned_addresses = SealedTextField(_("pinned addresses"), null=True, blank=True)

    uid_path = models.CharField(
        _("subject path"),
        max_length=200,
        default="sub",
        help_text=_("Where the userinfo answer holds the account's permanent ID."),
    )
    label_path = models.CharField(
        _("label path"),
        max_length=200,
        blank=True,
        default="email",
        help_text=_("Where the userinfo answer holds a name to show. Display only."),
    )
    scopes = models.JSONField(
        _("scopes"), default=list, blank=True, validators=[validate_scopes]
    )
    scope_descriptions = models.JSONField(
        _("scopes in words"),
        default=dict,
        blank=True,
        help_text=_("What users read instead of a scope, such as: Read your notes."),
        validators=[validate_scope_descriptions],
    )
    scope_separator = models.CharField(
        _("scope separator"), max_length=4, default=" ", blank=False
    )
    authorization_params = _parameters(_("authorization parameters"))
    token_params = _parameters(_("token parameters"))
    refresh_params = _parameters(_("refresh parameters"))
    quirk = models.CharField(_("quirk"), max_length=64, blank=True)

    default_lifetime = _duration(
        _("default lifetime"),
        _("Seconds a token lives when the provider does not say."),
    )
    refresh_margin = _duration(
        _("refresh margin"),
        _("Seconds before expiry; empty means the project's setting."),
    )
    keepalive_interval = _duration(
        _("keep-alive interval"),
        _("Seconds after which an idle refresh token is used once."),
    )
    max_refreshes_per_minute = models.PositiveIntegerField(
        _("refreshes per minute"),
        null=True,
        blank=True,
        help_text=_("Of all workers together; empty means no limit."),
        validators=[MinValueValidator(1)],
    )
    grants_url = models.CharField(
        _("page of granted access"),
        max_length=500,
        blank=True,
        help_text=_("Where users see, at the provider, what they gave access to."),
        validators=[validate_link],
    )
    exclusive_subjects = models.BooleanField(
        _("one owner per account"),
        default=False,
        help_text=_("An account at the provider can be connected by one owner only."),
    )
    paused_until = models.DateTimeField(
        _("paused until"), null=True, blank=True, editable=False
    )
    pause_reason = models.CharField(
        _("pause reason"), max_length=64, blank=True, editable=False
    )
    pause_count = models.PositiveIntegerField(
        _("pauses in a row"), default=0, editable=False
    )
    probe_until = models.DateTimeField(null=True, blank=True, editable=False)
    refresh_slots_at = models.DateTimeField(null=True, blank=True, editable=False)
    authorization_response_iss_parameter_supported = models.BooleanField(
        _("sends iss in authorization responses (RFC 9207)"), default=False
    )
    code_challenge_methods_supported = models.JSONField(
        _("PKCE methods"), null=True, blank=True
    )
    require_pushed_authorization_requests = models.BooleanField(
        _("requires pushed authorization requests"), default=False
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        abstract = True

    @property
    def write_alias(self) -> str:
        """Database that this row is written to."""
        return router.db_for_write(type(self), instance=self)

    def stored_row(self) -> models.QuerySet[Self]:
        """Return the query for this row where it is written, whatever its state."""
        return type(self)._base_manager.using(self.write_alias).filter(pk=self.pk)
