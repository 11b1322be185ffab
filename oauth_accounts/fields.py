"""
SealedTextField and the two values that stand for a secret.

Secret   plaintext in memory that does not print, pickle or serialise.
Sealed   ciphertext as read from the database; says nothing until it is revealed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from django.db import models
from django.db.models.expressions import Case, Col, Value, When
from fernet_fields import EncryptedTextField

from oauth_accounts import keyring
from oauth_accounts.exceptions import TokenUndecryptable
from oauth_accounts.frames import without_frames

if TYPE_CHECKING:

    class _TextField(models.TextField["str | Secret | Sealed | None", Any]):
        _pyi_private_set_type: str | Secret | Sealed | None  # type: ignore[assignment]
        _pyi_private_get_type: Any

else:
    _TextField = EncryptedTextField

ENVELOPE_VERSION = 1
# The sealed columns of a connected account: what a revoked one must not hold any more.
SEALED_FIELDS = ("access_token", "refresh_token", "token_secret", "id_token")


class _Guarded:
    """A value that refuses every way out of the process but the named one."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError(f"{type(self).__name__} values cannot be pickled or serialised")

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: Any) -> Any:
        return self

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} values cannot be changed")

    def __format__(self, spec: str) -> str:
        return str(self)


class Secret(_Guarded):
    """
    Plaintext that has to be asked for by name.

    value: the text, returned by `get_value()` and by nothing else.
    """

    __slots__ = ("_value",)
    _value: str

    def __init__(self, value: str) -> None:
        object.__setattr__(self, "_value", value)

    def get_value(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "<secret>"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        # Equal to secrets only: comparing with a plain str is a leak by oracle.
        return isinstance(other, Secret) and other._value == self._value

    __hash__ = None  # type: ignore[assignment]


class Sealed(_Guarded):
    """
    Ciphertext of one column of one row.

    ciphertext: the Fernet token, as stored.
    """

    __slots__ = ("ciphertext",)
    ciphertext: bytes

    def __init__(self, ciphertext: bytes) -> None:
        object.__setattr__(self, "ciphertext", ciphertext)

    def __repr__(self) -> str:
        return "<sealed>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sealed) and other.ciphertext == self.ciphertext

    def __hash__(self) -> int:
        return hash(self.ciphertext)


class SealedRow(Protocol):
    """A model instance that can say which place its sealed values belong to."""

    def sealing_context(self, field_name: str) -> dict[str, str]: ...


class WrongContext(TokenUndecryptable):
    """The ciphertext opens, but was sealed for another place."""

    code = "wrong_context"

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__()
        self.names = names


def seal(text: str | Secret, context: dict[str, str]) -> Sealed:
    """
    Encrypt text together with the place it belongs to.

    text: as a `Secret`, so that no report about an error shows it.
    """
    return _seal(Secret(text) if isinstance(text, str) else text, context)


@without_frames
def _seal(secret: Secret, context: dict[str, str]) -> Sealed:
    envelope = {"v": ENVELOPE_VERSION, **context, "t": secret.get_value()}
    return Sealed(keyring.seal(json.dumps(envelope, separators=(",", ":")).encode()))


@without_frames
def reveal(
    sealed: Sealed, context: dict[str, str], *, provider_known: bool = True
) -> Secret:
    """
    Decrypt a sealed value that belongs to this place.

    provider_known: False compares row and column only, for a reader that sends the value
        to no endpoint of the provider and would have to query for it.

    Raises TokenUndecryptable when no key opens it, and WrongContext, which names the
    parts that differ, when it was sealed for another row, column or provider.
    """
    place, secret = open_anywhere(sealed)
    if not provider_known:
        place = {name: place.get(name, "") for name in context}
    if place != context:
        names = {n for n in {*place, *context} if place.get(n) != context.get(n)}
        raise WrongContext(frozenset(names))
    return secret


@without_frames
def open_anywhere(sealed: Sealed) -> tuple[dict[str, str], Secret]:
    """
    Decrypt a sealed value; return the place it was sealed for, and what it says.

    For readers that compare the place themselves, or move it to another one. Raises
    TokenUndecryptable when no key opens it.
    """
    plaintext = keyring.open_sealed(sealed.ciphertext)
    try:
        envelope = json.loads(plaintext)
        text = envelope.pop("t")
        version = envelope.pop("v")
    except (ValueError, AttributeError, KeyError, TypeError):
        envelope, text, version = {}, None, None
    if version != ENVELOPE_VERSION or not isinstance(text, str):
        raise TokenUndecryptable("not_an_envelope")
    return envelope, Secret(text)


class SealedTextField(_TextField):
    """
    A text column that is stored encrypted and bound to its row.

    Reading gives a `Sealed`. A str or `Secret` on an instance is sealed when the
    instance is saved, where the row is known; in `update()` and `bulk_update()` a plain
    str is refused, because there it is not. The model must define `sealing_context()`.
    """

    def from_db_value(self, value: Any, *args: Any) -> Sealed | None:
        return None if value is None else Sealed(bytes(value))

    def to_python(self, value: Any) -> Any:
        return value

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        value = getattr(model_instance, self.attname)
        if isinstance(value, str):
            value = Secret(value)
        if isinstance(value, Secret):
            value = self.seal_for(model_instance, value)
            setattr(model_instance, self.attname, value)
        return value

    def seal_for(self, instance: Any, secret: Secret) -> Sealed:
        """Seal a secret for this column of the instance's row."""
        return seal(secret, instance.sealing_context(self.name))

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, Sealed):
            return connection.Database.Binary(value.ciphertext)
        if hasattr(value, "as_sql"):
            self._refuse_plaintext(value)
            return value
        raise TypeError(
            f"{self.name} takes sealed values only here; assign to an instance and "
            "save it, so that the value can be bound to its row."
        )

    def get_db_prep_value(
        self, value: Any, connection: Any, prepared: bool = False
    ) -> Any:
        # Django before 5.2.3 asks for this inside of Case and When, also to save.
        return self.get_db_prep_save(value, connection)

    def _refuse_plaintext(self, expression: Any) -> None:
        if isinstance(expression, Value):
            self._refuse_plain_value(expression)
        elif isinstance(expression, Col):
            if not isinstance(expression.target, SealedTextField):
                raise TypeError(f"{self.name} takes values of sealed columns only")
        elif isinstance(expression, When):
            self._refuse_plaintext(expression.result)
        elif isinstance(expression, Case):
            for case in (*expression.cases, expression.default):
                self._refuse_plaintext(case)
        else:
            # A function could build plaintext from parts (Concat, RawSQL): not here.
            self._refuse_unless_wrapping(expression)

    def _refuse_plain_value(self, expression: Any) -> None:
        if expression.value is None:
            return
        if not isinstance(expression.value, Sealed):
            raise TypeError(f"{self.name} takes sealed values only")
        if not isinstance(expression._output_field_or_none, SealedTextField):
            # Left to themselves, some drivers store the text "<sealed>".
            raise TypeError(
                f"{self.name} takes sealed values as "
                "Value(sealed, output_field=SealedTextField()) in an expression"
            )

    def _refuse_unless_wrapping(self, expression: Any) -> None:
        sources = [e for e in expression.get_source_expressions() if e is not None]
        if not sources or type(expression).__name__ not in {"Cast", "Coalesce"}:
            raise TypeError(f"{self.name} takes sealed values only")
        for source in sources:
            self._refuse_plaintext(source)

    def formfield(self, **kwargs: Any) -> None:
        return None

    def value_to_string(self, obj: models.Model) -> NoReturn:
        raise TypeError(
            f"{self.model._meta.label}.{self.name} is sealed and cannot be serialised; "
            "back up the database instead, or exclude this model."
        )

    def value_from_object(self, obj: models.Model) -> Any:
        """Give serialisers and forms an object that refuses, never the value."""
        value = super().value_from_object(obj)
        return Secret(value) if isinstance(value, str) else value

    def get_default(self) -> None:
        return None
