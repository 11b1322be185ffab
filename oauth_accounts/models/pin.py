"""Columns that are also kept sealed, so that a change of theirs by SQL is noticed."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Self

from django.core.exceptions import ImproperlyConfigured
from django.db import models

from oauth_accounts import fields
from oauth_accounts.exceptions import ProviderMisconfigured, TokenUndecryptable
from oauth_accounts.fields import Secret, WrongContext


class Pinned(models.Model):
    """
    A row that knows whether its addresses are those that trusted code wrote.

    They are pinned when the row is inserted, and again by each `save()` of an instance
    that was read as it was pinned. One that was altered by other means stays refused,
    whatever else of it is saved, until somebody calls `pin()`.

    PIN: name of the sealed column. PINNED: names of the columns that it vouches for.
    CHANGED: code of the error when they differ.
    """

    PIN: ClassVar[str]
    PINNED: ClassVar[tuple[str, ...]]
    CHANGED: ClassVar[str]

    class Meta:
        abstract = True

    @classmethod
    def from_db(cls, *args: Any, **kwargs: Any) -> Self:
        row = super().from_db(*args, **kwargs)
        row.remember()
        return row

    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        super().refresh_from_db(*args, **kwargs)
        self.remember(args[1] if len(args) > 1 else kwargs.get("fields"))

    def remember(self, names: Collection[str] | None = None) -> None:
        """Note columns as they lie in the database now. names: None means all."""
        values = self.__dict__
        memory = values.setdefault("_stored_columns", {})
        for name in (self.PIN, *self.PINNED):
            if name in values and (names is None or name in names):
                memory[name] = values[name]

    def require_pinned(self) -> None:
        """
        Raise unless the addresses were read as they had been pinned.

        Raises ProviderMisconfigured with the code of the model when they differ or
        nothing was pinned, TokenUndecryptable when no key opens the pin.
        """
        if self.altered_columns():
            raise ProviderMisconfigured(self.CHANGED)

    def altered_columns(self) -> list[str]:
        """
        Return the names of the columns that were read other than they were pinned.

        What code assigns to the instance is trusted. Decrypts once for each row that is
        read. Raises TokenUndecryptable.
        """
        if self._state.adding:
            return []
        stored = self._stored()
        key = tuple(stored[name] for name in (self.PIN, *self.PINNED))
        seen = self.__dict__.get("_compared_columns")
        if seen is None or seen[0] != key:
            pinned = self.pinned_values() or {}
            altered = [n for n in self.PINNED if pinned.get(n, "") != str(stored[n])]
            seen = self.__dict__["_compared_columns"] = (key, altered)
        return list(seen[1])

    def is_altered(self) -> bool:
        """Say whether the addresses are known not to be those that were pinned."""
        try:
            return bool(self.altered_columns())
        except TokenUndecryptable:
            return False

    def is_in_doubt(self) -> bool:
        """Say the same for people to see; without any keys, nothing is known."""
        try:
            return self.is_altered()
        except ImproperlyConfigured:
            return False

    def pinned_values(self) -> dict[str, str] | None:
        """
        Return what was pinned, None for nothing, or for what was pinned of another row.

        Raises TokenUndecryptable.
        """
        sealed = self._stored()[self.PIN]
        if sealed is None:
            return None
        try:
            text = fields.reveal(sealed, self.place(self.PIN))
        except WrongContext:
            return None
        pinned: dict[str, str] = json.loads(text.get_value())
        return pinned

    def pin(self) -> None:
        """Vouch for the addresses as they are on this instance; `save()` writes that."""
        self._pin({name: getattr(self, name) for name in self.PINNED})

    def renew_pin(self, options: dict[str, Any]) -> None:
        """
        Pin what a save is about to write, unless the row had been altered before.

        options: those of `save()`; the pin joins its `update_fields`.
        """
        written = options.get("update_fields")
        if self._state.adding:
            self._pin_new()
        elif self._renew(written) and written is not None:
            options["update_fields"] = {*written, self.PIN}

    def _pin_new(self) -> None:
        # What is sealed is of the row that this one is a copy of.
        if not isinstance(getattr(self, self.PIN), str | Secret):
            self.pin()

    def _renew(self, written: Collection[str] | None) -> bool:
        """Renew the pin if need be; say whether there is another to be written."""
        stored = self.__dict__.get("_stored_columns", {})
        if self.__dict__.get(self.PIN) is not stored.get(self.PIN):
            # pin() was called.
            return True
        changed = {
            name: self.__dict__[name]
            for name in self.PINNED
            if name in self.__dict__ and (written is None or name in written)
            if name not in stored or self.__dict__[name] != stored[name]
        }
        if not changed or not self._was_as_pinned():
            return False
        stored = self._stored()
        self._pin({name: changed.get(name, stored[name]) for name in self.PINNED})
        return True

    def _was_as_pinned(self) -> bool:
        try:
            return not self.altered_columns()
        except TokenUndecryptable:
            return False

    def _pin(self, values: Mapping[str, Any]) -> None:
        text = {name: str(value) for name, value in values.items()}
        pinned = any(text.values())
        pin = fields.seal(json.dumps(text), self.place(self.PIN)) if pinned else None
        setattr(self, self.PIN, pin)

    def _stored(self) -> dict[str, Any]:
        """Return the columns as they were read, reading those that were deferred."""
        self.remember(())
        memory: dict[str, Any] = self.__dict__["_stored_columns"]
        if missing := [n for n in (self.PIN, *self.PINNED) if n not in memory]:
            rows = type(self)._base_manager.using(self._state.db).filter(pk=self.pk)
            memory.update(rows.values(*missing).get())
        return memory

    def place(self, field_name: str) -> dict[str, str]:
        """Return the row and column that a sealed value belongs to."""
        return {"c": f"{self._meta.label}.{field_name}", "id": str(self.pk)}
