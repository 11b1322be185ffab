"""A service that accounts can be connected at."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from oauth_accounts import clock, fields
from oauth_accounts.conf import conf
from oauth_accounts.exceptions import ProviderMisconfigured
from oauth_accounts.fields import SealedTextField, Secret
from oauth_accounts.protocol.client import ClientConfig, OAuth2Client
from oauth_accounts.validators import (
    validate_authorization_query,
    validate_endpoint,
    validate_parameters,
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


def _endpoint(label: StrPromise) -> models.CharField[str, str]:
    return models.CharField(
        label, max_length=500, blank=True, validators=[validate_endpoint]
    )


def _parameters(label: StrPromise) -> models.JSONField[Any, Any]:
    return models.JSONField(
        label, default=dict, blank=True, validators=[validate_parameters]
    )


def _optional_number(
    label: StrPromise, help_text: StrPromise | str = ""
) -> models.PositiveIntegerField[int | None, int | None]:
    return models.PositiveIntegerField(
        label, null=True, blank=True, help_text=help_text
    )


class ProviderQuerySet(models.QuerySet["Provider"]):
    def enabled(self) -> ProviderQuerySet:
        return self.filter(enabled=True)

    def callable_at(self, moment: datetime) -> ProviderQuerySet:
        """Return those that are enabled and whose circuit breaker is closed."""
        return self.enabled().filter(
            Q(paused_until__isnull=True) | Q(paused_until__lte=moment)
        )


class Provider(models.Model):
    """
    An authorisation server, this project's registration there, and its state.

    Endpoint names are those of RFC 8414. Durations are in seconds.
    """

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
    scope_separator = models.CharField(
        _("scope separator"), max_length=4, default=" ", blank=False
    )
    authorization_params = _parameters(_("authorization parameters"))
    token_params = _parameters(_("token parameters"))
    refresh_params = _parameters(_("refresh parameters"))
    quirk = models.CharField(_("quirk"), max_length=64, blank=True)

    default_lifetime = _optional_number(
        _("default lifetime"),
        _("Seconds a token lives when the provider does not say."),
    )
    refresh_margin = _optional_number(
        _("refresh margin"),
        _("Seconds before expiry; empty means the project's setting."),
    )
    keepalive_interval = _optional_number(
        _("keep-alive interval"),
        _("Seconds after which an idle refresh token is used once."),
    )
    max_refreshes_per_minute = _optional_number(_("refreshes per minute"))
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

    objects: ClassVar[models.Manager[Provider]] = models.Manager.from_queryset(
        ProviderQuerySet
    )()

    class Meta:
        verbose_name = _("provider")
        verbose_name_plural = _("providers")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def from_db(cls, *args: Any, **kwargs: Any) -> Provider:
        provider = super().from_db(*args, **kwargs)
        provider.__dict__["_stored_slug"] = provider.__dict__.get("slug")
        return provider

    def save(self, *args: Any, **kwargs: Any) -> None:
        stored = self.__dict__.get("_stored_slug")
        if stored is not None and stored != self.slug:
            # The slug is in the redirect URI that is registered at the provider, and
            # tells mix-up attacks apart (RFC 9700 section 4.4.2.2).
            raise ValueError("The slug of a provider cannot be changed.")
        super().save(*args, **kwargs)
        self.__dict__["_stored_slug"] = self.slug

    def clean(self) -> None:
        super().clean()
        try:
            validate_authorization_query(
                self.authorization_endpoint, self.authorization_params or {}
            )
        except ValidationError as error:
            raise ValidationError({"authorization_endpoint": error}) from None
        methods = self.code_challenge_methods_supported
        if methods is not None and not (
            isinstance(methods, list) and "S256" in methods
        ):
            raise ValidationError(
                {
                    "code_challenge_methods_supported": _(
                        "The provider does not support PKCE with S256, which is "
                        "always used."
                    )
                }
            )
        if (
            self.token_endpoint_auth_method == self.ClientAuth.NONE
            and self.client_secret is not None
        ):
            raise ValidationError(
                {
                    "token_endpoint_auth_method": _(
                        "A client with a secret has to authenticate with it."
                    )
                }
            )

    def sealing_context(self, field_name: str) -> dict[str, str]:
        """Return the place that a sealed value of this row belongs to."""
        return {
            "c": f"{self._meta.label}.{field_name}",
            "id": str(self.pk),
            **self.binding(),
        }

    def binding(self) -> dict[str, str]:
        """Return what ties secrets to this provider: issuer and token endpoint origin."""
        try:
            parts = urlsplit(self.token_endpoint)
            origin = f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
        except ValueError:
            origin = self.token_endpoint
        return {"iss": self.issuer, "te": origin}

    def reveal(self, field_name: str) -> Secret | None:
        """
        Decrypt a sealed column of this row.

        Raises ProviderMisconfigured ("provider_changed") when issuer or token endpoint
        are not those that the secret was entered for, TokenUndecryptable when no key
        opens it.
        """
        value = getattr(self, field_name)
        if value is None or isinstance(value, Secret):
            return value
        try:
            return fields.reveal(value, self.sealing_context(field_name))
        except fields.WrongContext as error:
            if not error.names <= {"iss", "te"}:
                raise
        raise ProviderMisconfigured("provider_changed")

    def oauth_client(self) -> OAuth2Client:
        """
        Return a client that speaks to this provider.

        Raises ProviderMisconfigured when its secret was entered for other endpoints.
        """
        return OAuth2Client(
            ClientConfig(
                client_id=self.client_id,
                client_secret=self.reveal("client_secret"),
                token_endpoint_auth_method=self.token_endpoint_auth_method,
                authorization_endpoint=self.authorization_endpoint,
                token_endpoint=self.token_endpoint,
                revocation_endpoint=self.revocation_endpoint,
                userinfo_endpoint=self.userinfo_endpoint,
                scopes=tuple(self.scopes),
                scope_separator=self.scope_separator,
                authorization_params=self.authorization_params,
                token_params=self.token_params,
                refresh_params=self.refresh_params,
            )
        )

    def margin(self) -> int:
        """Return the seconds before expiry at which its tokens are refreshed."""
        if self.refresh_margin is not None:
            return self.refresh_margin
        return conf.OAUTH_ACCOUNTS_REFRESH_MARGIN

    def is_paused(self) -> bool:
        """Say whether the circuit breaker is open."""
        return self.paused_until is not None and self.paused_until > clock.utcnow()

    def pause(self, seconds: float, reason: str) -> bool:
        """
        Open the circuit breaker; return False when it was open already.

        seconds: how long no call is made. reason: code to show to administrators.
        """
        now = clock.utcnow()
        until = now + timedelta(seconds=seconds)
        manager = type(self)._default_manager.filter(pk=self.pk)
        opened = manager.filter(
            Q(paused_until__isnull=True) | Q(paused_until__lte=now)
        ).update(paused_until=until, pause_reason=reason)
        if opened:
            self.paused_until, self.pause_reason = until, reason
            self.events.create(kind="provider_paused", reason=reason)
        return bool(opened)

    def resume(self) -> None:
        """Close the circuit breaker."""
        manager = type(self)._default_manager
        manager.filter(pk=self.pk).update(paused_until=None, pause_reason="")
        self.paused_until, self.pause_reason = None, ""


def missing_configuration(provider: Provider) -> list[str]:
    """Return the names of the fields a provider needs before accounts can connect."""
    needed = ["client_id", "authorization_endpoint", "token_endpoint"]
    if provider.token_endpoint_auth_method in {
        Provider.ClientAuth.BASIC,
        Provider.ClientAuth.POST,
    }:
        needed.append("client_secret")
    return [
        name for name in (*needed, "userinfo_endpoint") if not getattr(provider, name)
    ]
