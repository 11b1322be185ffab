"""One account of an owner at a provider, and the verbs that users of the app call."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, cast

from asgiref.sync import sync_to_async
from django.db import IntegrityError, models, router, transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from oauth_accounts import clock, fields, keyring, reactions, refresh, revoke, schedule
from oauth_accounts.clock import DatabaseNow
from oauth_accounts.exceptions import ProviderMisconfigured, ReauthRequired
from oauth_accounts.fields import SEALED_FIELDS, Secret
from oauth_accounts.models.account_columns import (
    ENGINE_FIELDS,
    PERMISSIONS,
    AccountColumns,
)
from oauth_accounts.models.account_indexes import admin_indexes
from oauth_accounts.models.notice import record_notice
from oauth_accounts.models.querysets import ConnectedAccountQuerySet
from oauth_accounts.models.token_columns import token_columns
from oauth_accounts.session import AccountSession

if TYPE_CHECKING:
    from oauth_accounts.protocol.tokens import TokenSet


class ConnectedAccount(AccountColumns):
    """
    The grant an owner gave this project at a provider, and its tokens, sealed.

    Tokens are read with `get_access_token()` and `reveal()`, and are written by connecting
    and refreshing only: `save()` writes no token and no state unless named in
    `update_fields`.
    """

    objects: ClassVar[models.Manager[ConnectedAccount]] = models.Manager.from_queryset(
        ConnectedAccountQuerySet
    )()

    class Meta:
        verbose_name = _("connected account")
        verbose_name_plural = _("connected accounts")
        default_permissions = ("delete", "view")
        ordering = ["-created_at"]
        permissions: ClassVar = PERMISSIONS
        indexes: ClassVar = [
            models.Index(
                fields=["provider", "refresh_due_at"],
                condition=Q(refresh_due_at__isnull=False),
                name="oauth_accounts_account_due",
            ),
            *admin_indexes(),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(status="active") | Q(refresh_due_at__isnull=True),
                name="oauth_accounts_due_only_active",
            ),
            models.CheckConstraint(
                condition=Q(
                    status__in=("active", "needs_reauth", "revoked", "disabled")
                ),
                name="oauth_accounts_known_status",
            ),
        ]

    def __str__(self) -> str:
        return self.label or self.uid

    # Use

    def get_access_token(self, min_validity: float = 60) -> str:
        """
        Return an access token that is valid now, refreshing it when needed.

        min_validity: seconds the token has to be valid for; at most half of its life.

        Raises ReauthRequired, ProviderUnavailable, ProviderMisconfigured,
        TokenUndecryptable or RefreshInTransaction; see the error tree in `exceptions`.
        """
        self.require_usable()
        if not schedule.is_fresh(self, min_validity):
            refresh.obtain(self, min_validity)
        token = self.reveal("access_token", provider_known=False)
        # What is fresh, or was obtained, has one.
        return cast("Secret", token).get_value()

    async def aget_access_token(self, min_validity: float = 60) -> str:
        """Return what `get_access_token` returns, for asynchronous code."""
        return await sync_to_async(self.get_access_token)(min_validity)

    def session(self) -> AccountSession:
        """Return a `requests` session that sends a fresh token with each call."""
        return AccountSession(self)

    def refresh(self) -> None:
        """Refresh now, or join one that is under way. Raises TokenError."""
        refresh.refresh(self)

    def replace_rejected(self, rejected: Secret) -> bool:
        """Refresh because the API refused this token; return whether there is another."""
        return refresh.replace_rejected(self, rejected)

    def revoke(
        self, *, reason: str = "by_owner", actor: Any = None, wait: bool = False
    ) -> None:
        """
        Stop using the account here at once, then revoke its tokens at the provider.

        reason: "by_owner", "by_admin" or "at_provider". actor: user for the audit.
        wait: call the provider before returning, for scripts; a page never waits.
        """
        revoke.revoke(self, reason=reason, actor=actor, wait=wait)

    def require_reauth(
        self, *, reason: str = "admin_request", actor: Any = None
    ) -> bool:
        """Stop until the owner connects again; return False when it is not active."""
        return reactions.require_reauth(self, reason, actor=actor)

    def disable(self, *, reason: str = "by_admin", actor: Any = None) -> bool:
        """Stop until it is enabled; return False when it was stopped already."""
        return reactions.disable(self, reason, actor)

    def enable(self, *, actor: Any = None) -> bool:
        """Use it as before it was disabled; return False when it was not."""
        return reactions.enable(self, actor)

    def reveal(self, name: str, *, provider_known: bool = True) -> Secret | None:
        """
        Decrypt one sealed column: the only way to a token's plaintext.

        Raises TokenUndecryptable when no key opens it or it was moved here from another
        place, ProviderMisconfigured ("provider_changed") when the provider has another
        issuer or token endpoint than at the time of connecting.
        """
        if name not in SEALED_FIELDS:
            raise ValueError(f"{name} is not a sealed field")
        value = getattr(self, name)
        if value is None or isinstance(value, Secret):
            return value
        context = self.place(name) if not provider_known else self.sealing_context(name)
        try:
            return fields.reveal(value, context, provider_known=provider_known)
        except fields.WrongContext as error:
            if not error.names <= {"iss", "te"}:
                raise
        raise ProviderMisconfigured("provider_changed")

    def missing_scopes(self, scopes: Iterable[str]) -> list[str]:
        """Return those of the scopes that are known not to be granted."""
        if self.scopes is None:
            return []
        return [scope for scope in scopes if scope not in self.scopes]

    # State

    @property
    def write_alias(self) -> str:
        """Database that this row is written to."""
        return router.db_for_write(type(self), instance=self)

    def stored_row(self) -> models.QuerySet[ConnectedAccount]:
        """Return the query for this row where it is written, whatever its state."""
        rows = type(self)._base_manager.using(self.write_alias)
        return rows.filter(pk=self.pk)

    def reload(self) -> None:
        """Read tokens and state again; raises ReauthRequired when the row is gone."""
        try:
            self.refresh_from_db(using=self.write_alias, fields=ENGINE_FIELDS)
            return
        except type(self).DoesNotExist:
            pass
        raise ReauthRequired("account_deleted")

    def engine_state(self) -> dict[str, Any]:
        """Return tokens, sealed, and state, for another instance of this row."""
        return {name: getattr(self, name) for name in ENGINE_FIELDS}

    def adopt(self, state: dict[str, Any]) -> None:
        """Take over what another instance of this row knows; see `engine_state`."""
        for name, value in state.items():
            setattr(self, name, value)

    def database_now(self) -> datetime:
        """Return the time of the database, which all workers share."""
        # A row that is gone is found out by whoever reads it next.
        return (
            self.stored_row().values_list(DatabaseNow(), flat=True).first()
            or clock.utcnow()
        )

    def require_usable(self) -> None:
        """Raise what stops this account from being used, if anything does."""
        if self.status == self.Status.NEEDS_REAUTH:
            raise ReauthRequired(self.status_reason or None)
        if self.status == self.Status.REVOKED:
            raise ReauthRequired("revoked")
        if self.status == self.Status.DISABLED:
            raise ProviderMisconfigured(self.status_reason or "disabled")
        if "owner" in self._state.fields_cache and not self.owner_is_active():
            raise ProviderMisconfigured("owner_inactive")

    def owner_is_active(self) -> bool:
        """Say whether the owner may act; an owner without `is_active` always may."""
        return self.owner is None or bool(getattr(self.owner, "is_active", True))

    def refresh_token_is_expired(self, now: datetime | None = None) -> bool:
        """
        Say whether the provider's date for the refresh token has passed.

        now: UTC, by another clock than this process's.
        """
        dies_at = self.refresh_token_expires_at
        return dies_at is not None and dies_at <= (now or clock.utcnow())

    def is_undecryptable(self) -> bool:
        """Say whether a stored token does not open with the keys in force."""
        sealed = (getattr(self, name) for name in SEALED_FIELDS)
        return any(
            value is not None and keyring.key_id_of(value.ciphertext) is None
            for value in sealed
        )

    def record_event(self, kind: str, reason: str = "", actor: Any = None) -> None:
        """Append to the account's history, which outlives the account."""
        events = self.provider.events.using(self.write_alias)
        values = {
            "kind": kind,
            "reason": reason,
            "actor": actor,
            "account_key": self.pk,
            "provider_id": self.provider_id,
        }
        try:
            with transaction.atomic(using=self.write_alias):
                events.create(account_id=self.pk, **values)
        except IntegrityError:
            # Deleted since; what was about to be told happened before.
            events.create(**values)

    def notify(self, event: str, reason: str = "") -> None:
        """Have the owner told of a change by mail, in its transaction; see `notices`."""
        record_notice(self, event, reason)

    def token_values(self, tokens: TokenSet) -> dict[str, Any]:
        """Return the columns that follow from a provider's answer, tokens sealed."""
        return token_columns(self, tokens)

    def sealing_context(self, field_name: str) -> dict[str, str]:
        """Return the place that a sealed value of this row belongs to."""
        binding = {} if field_name == self.PIN else self.provider.binding()
        return {**self.place(field_name), **binding}

    def compute_identity_key(self) -> str:
        """Return the hash that makes provider, subject and owner unique together."""
        exclusive = self.provider.exclusive_subjects
        owner = "" if exclusive or self.owner_id is None else str(self.owner_id)
        parts = (str(self.provider_id), self.uid, owner)
        # Lengths keep ("a", "bc") and ("ab", "c") apart.
        material = "".join(f"{len(part.encode())}:{part}" for part in parts)
        return hashlib.sha256(material.encode()).hexdigest()

    def complete(self) -> None:
        """Fill in the columns that follow from others, before the row is inserted."""
        self.identity_key = self.compute_identity_key()
        self.key_id = self.key_id or keyring.current_key_id()

    def save(self, *args: Any, **kwargs: Any) -> None:
        if args:
            # Old Djangos take update_fields by position, where it would be missed here.
            raise TypeError("save() takes keyword arguments only.")
        if self._state.adding:
            self.complete()
        elif kwargs.get("update_fields") is None:
            # It may have another owner now.
            self.identity_key = self.compute_identity_key()
            kwargs["update_fields"] = self._fields_of_plain_save()
        self.renew_pin(kwargs)
        super().save(**kwargs)
        self.remember(kwargs.get("update_fields"))

    def _fields_of_plain_save(self) -> list[str]:
        # renew_pin() adds the pin where it changes: one that was read before a rotation of
        # keys would come back, under a key that the row does not name any more.
        left_out = {*ENGINE_FIELDS, self.PIN, "id", *self.get_deferred_fields()}
        return [
            field.name
            for field in self._meta.concrete_fields
            if left_out.isdisjoint({field.name, field.attname})
        ]
