"""A service that accounts can be connected at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from oauth_accounts import fields
from oauth_accounts.conf import conf
from oauth_accounts.exceptions import ProviderMisconfigured
from oauth_accounts.fields import Secret
from oauth_accounts.models.breaker import Breaker, open_now, probed_now
from oauth_accounts.models.pace import Pace
from oauth_accounts.models.provider_columns import OBJECT_FIELDS, STATE_FIELDS
from oauth_accounts.protocol.client import OAuth2Client
from oauth_accounts.protocol.client_config import ClientConfig
from oauth_accounts.validators import validate_authorization_query, validate_issuer

# Seconds before expiry, where the project's setting is no number (check E005).
FALLBACK_MARGIN = 300

OPENID = "openid"
# Without them an ID token cannot be checked, and nothing else is done with one.
NEEDED_FOR_OPENID = ("issuer", "jwks_uri")


class ProviderQuerySet(models.QuerySet["Provider"]):
    def bulk_create(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> Any:
        providers = list(objs)
        for provider in providers:
            provider.pin()
        created = super().bulk_create(providers, *args, **kwargs)
        for provider in providers:
            provider.remember()
        return created

    def enabled(self) -> ProviderQuerySet:
        return self.filter(enabled=True)

    def callable_now(self) -> ProviderQuerySet:
        """
        Return those that are enabled and whose circuit breaker lets somebody call.

        It is closed, or half open and nobody makes a trial call at the moment.
        """
        return self.enabled().exclude(open_now()).exclude(probed_now())


class Provider(Breaker, Pace):
    """
    An authorisation server, this project's registration there, and its state.

    Endpoint names are those of RFC 8414. Durations are in seconds. `save()` of a stored
    row leaves the circuit breaker alone unless named in `update_fields`, and vouches for
    no address that was changed by SQL; see `pin()`.
    """

    objects: ClassVar[models.Manager[Provider]] = models.Manager.from_queryset(
        ProviderQuerySet
    )()

    # How many attempts the browser at hand has under way, where that was asked; a hint.
    open_attempts: int | None = None

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
        if args:
            # Old Djangos take update_fields by position, where it would be missed here.
            raise TypeError("save() takes keyword arguments only.")
        if not self._is_inserted_by(kwargs) and kwargs.get("update_fields") is None:
            kwargs["update_fields"] = self._fields_of_plain_save()
        self.renew_pin(kwargs)
        super().save(**kwargs)
        self.remember(kwargs.get("update_fields"))
        self.__dict__["_stored_slug"] = self.slug

    def _is_inserted_by(self, options: dict[str, Any]) -> bool:
        elsewhere = options.get("using") not in {None, self._state.db}
        return self._state.adding or elsewhere or bool(options.get("force_insert"))

    def _fields_of_plain_save(self) -> list[str]:
        # An instance read before a pause would end the pause.
        left_out = {*STATE_FIELDS, "id", *self.get_deferred_fields()}
        fields_of_row = self._meta.concrete_fields
        return [field.name for field in fields_of_row if field.name not in left_out]

    def clean(self) -> None:
        super().clean()
        self._lock_exclusive_subjects()
        self._require_for_openid()
        self._check_issuer()
        self._require_objects()
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

    def _require_for_openid(self) -> None:
        text = _("The scope openid needs it: ID tokens are always checked.")
        missing = [name for name in NEEDED_FOR_OPENID if not getattr(self, name)]
        if self.uses_openid() and missing:
            raise ValidationError(dict.fromkeys(missing, text))

    def _check_issuer(self) -> None:
        try:
            validate_issuer(self.issuer)
        except ValidationError as error:
            raise ValidationError({"issuer": error}) from None

    def _require_objects(self) -> None:
        # Of what Django takes for blank, a field's own validators see nothing.
        for name in OBJECT_FIELDS:
            value = getattr(self, name)
            if value is None:
                setattr(self, name, {})
            elif value != {} and not value:
                text = _("Enter an object whose values are text.")
                raise ValidationError({name: text})

    def _lock_exclusive_subjects(self) -> None:
        # The uniqueness of the accounts was computed with it.
        if self._state.adding:
            return
        rows = type(self)._default_manager.filter(pk=self.pk)
        changed = rows.exclude(exclusive_subjects=self.exclusive_subjects).exists()
        if changed and self.accounts.exists():
            text = _("This cannot be changed while accounts are connected.")
            raise ValidationError({"exclusive_subjects": text})

    def sealing_context(self, field_name: str) -> dict[str, str]:
        """Return the place that a sealed value of this row belongs to."""
        # What ties the others to the addresses is among what is pinned.
        binding = {} if field_name == self.PIN else self.binding()
        return {**self.place(field_name), **binding}

    def binding(self) -> dict[str, str]:
        """Return what ties secrets to this provider: issuer and token endpoint origin."""
        return binding_of(self.issuer, self.token_endpoint)

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

        Raises ProviderMisconfigured ("provider_changed") when an address was changed by
        SQL, or its secret was entered for other ones; TokenUndecryptable.
        """
        self.require_pinned()
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

    def take_over(self, fresh: Provider) -> None:
        """Bring this instance to what another one of its row was read as."""
        for column in self._meta.concrete_fields:
            setattr(self, column.attname, getattr(fresh, column.attname))
        self.remember()

    def uses_openid(self) -> bool:
        """Say whether ID tokens are asked for (OpenID Connect Core section 3.1.2.1)."""
        return isinstance(self.scopes, list) and OPENID in self.scopes

    def margin(self) -> int:
        """Return the seconds before expiry at which its tokens are refreshed."""
        if self.refresh_margin is not None:
            return self.refresh_margin
        try:
            return conf.OAUTH_ACCOUNTS_REFRESH_MARGIN
        except (TypeError, ValueError, OverflowError):
            # Asked after a token was rotated: nothing may stop it from being stored.
            return FALLBACK_MARGIN


def binding_of(issuer: str, token_endpoint: str) -> dict[str, str]:
    """Return what ties secrets to a provider with these addresses."""
    return {"iss": issuer, "te": origin_of(token_endpoint)}


def origin_of(address: str) -> str:
    """Return scheme, host and port of an address, "" for none."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return address
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def missing_configuration(provider: Provider) -> list[str]:
    """Return the names of the fields a provider needs before accounts can connect."""
    needed = ["client_id", "authorization_endpoint", "token_endpoint"]
    if provider.uses_openid():
        needed += NEEDED_FOR_OPENID
    if provider.token_endpoint_auth_method in {
        Provider.ClientAuth.BASIC,
        Provider.ClientAuth.POST,
    }:
        needed.append("client_secret")
    return [
        name for name in (*needed, "userinfo_endpoint") if not getattr(provider, name)
    ]
