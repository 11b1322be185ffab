"""The two values that stand for a secret, and the field, without a database."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback

import pytest
from django.core.exceptions import FieldError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection
from django.db.models import Case, F, Value, When
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce, Concat
from django.test import SimpleTestCase

from oauth_accounts import fields, keyring
from oauth_accounts.exceptions import TokenUndecryptable
from oauth_accounts.fields import Sealed, SealedTextField, Secret, WrongContext
from oauth_accounts.models import ConnectedAccount, Provider

PLAIN = "plain-token-7d1f"
HERE = {"c": "app.Model.field", "id": "1", "iss": "https://a", "te": "https://a"}

GUARDED = {
    "secret": lambda: Secret(PLAIN),
    "sealed": lambda: fields.seal(PLAIN, HERE),
}


@pytest.fixture(params=GUARDED)
def guarded(request):
    return GUARDED[request.param]()


def hidden_in(value) -> list[str]:
    """Return the texts that must not come out of a value."""
    return [PLAIN, value.ciphertext.decode()] if isinstance(value, Sealed) else [PLAIN]


class TestNoWayOut:
    def test_nothing_that_makes_text_of_it(self, guarded, caplog):
        with caplog.at_level(logging.DEBUG):
            logging.getLogger("tests").debug("%s %r", guarded, guarded)
        texts = [
            repr(guarded),
            str(guarded),
            f"{guarded}",
            f"{guarded!r}",
            f"{guarded:>40}",
            format(guarded, "s"),
            "%s %r" % (guarded, guarded),  # noqa: UP031
            str([guarded]),
            str({"token": guarded}),
            caplog.text,
        ]

        for text in texts:
            assert f"<{type(guarded).__name__.lower()}>" in text
            for hidden in hidden_in(guarded):
                assert hidden not in text

    def test_nothing_that_serialises_it(self, guarded):
        ways = [
            lambda: json.dumps(guarded),
            lambda: json.dumps({"token": guarded}, cls=DjangoJSONEncoder),
            *(lambda p=p: pickle.dumps(guarded, p) for p in range(6)),
            lambda: pickle.dumps({"token": guarded}),
            guarded.__reduce__,
        ]

        for way in ways:
            with pytest.raises(TypeError) as caught:
                way()
            for hidden in hidden_in(guarded):
                assert hidden not in str(caught.value)

    def test_a_copy_is_the_value_itself(self, guarded):
        assert copy.copy(guarded) is guarded
        assert copy.deepcopy({"token": [guarded]})["token"][0] is guarded

    def test_it_cannot_be_changed(self, guarded):
        for name in ("_value", "ciphertext", "anything"):
            with pytest.raises(AttributeError, match="cannot be changed"):
                setattr(guarded, name, "else")
        assert not hasattr(guarded, "__dict__")


class SecretTests(SimpleTestCase):
    def test_the_text_is_given_when_asked_for_by_name(self):
        assert Secret(PLAIN).get_value() == PLAIN

    def test_it_equals_a_secret_of_the_same_text_and_nothing_else(self):
        assert Secret(PLAIN) == Secret(PLAIN)
        assert Secret(PLAIN) != Secret("other")
        assert Secret(PLAIN) != PLAIN

    def test_it_is_no_key_of_a_dict(self):
        with pytest.raises(TypeError):
            hash(Secret(PLAIN))

    def test_an_empty_one_is_false(self):
        assert Secret(PLAIN)
        assert not Secret("")


class SealedTests(SimpleTestCase):
    def test_it_compares_by_ciphertext(self):
        sealed = fields.seal(PLAIN, HERE)

        assert sealed == Sealed(sealed.ciphertext)
        assert len({sealed, Sealed(sealed.ciphertext)}) == 1
        assert sealed != fields.seal(PLAIN, HERE)
        assert sealed != sealed.ciphertext

    def test_it_opens_in_its_place(self):
        assert fields.reveal(fields.seal(PLAIN, HERE), HERE) == Secret(PLAIN)

    def test_empty_and_foreign_texts_come_back_as_they_were(self):
        for text in ("", "ÿ日本\u2028", '{"t": "x"}', "x" * 100_000, "\x00"):
            sealed = fields.seal(text, HERE)
            assert fields.reveal(sealed, HERE).get_value() == text

    def test_it_names_what_differs_elsewhere(self):
        sealed = fields.seal(PLAIN, HERE)

        for name in HERE:
            with pytest.raises(WrongContext) as caught:
                fields.reveal(sealed, {**HERE, name: "else"})
            assert caught.value.names == {name}
            assert isinstance(caught.value, TokenUndecryptable)

    def test_a_place_with_more_or_fewer_parts_is_another_place(self):
        sealed = fields.seal(PLAIN, HERE)
        fewer = {"c": HERE["c"], "id": HERE["id"]}

        with pytest.raises(WrongContext) as caught:
            fields.reveal(sealed, fewer)
        assert caught.value.names == {"iss", "te"}
        with pytest.raises(WrongContext) as caught:
            fields.reveal(fields.seal(PLAIN, fewer), HERE)
        assert caught.value.names == {"iss", "te"}

    def test_a_reader_that_sends_nothing_compares_row_and_column_only(self):
        sealed = fields.seal(PLAIN, HERE)
        row = {"c": HERE["c"], "id": HERE["id"]}

        assert fields.reveal(sealed, row, provider_known=False) == Secret(PLAIN)
        with pytest.raises(WrongContext):
            fields.reveal(sealed, {**row, "id": "2"}, provider_known=False)

    def test_what_is_no_envelope_of_this_version_does_not_open(self):
        place = json.dumps(HERE)[1:]
        for plaintext in (
            PLAIN,
            '"text"',
            "7",
            "null",
            "[]",
            "{}",
            "\udc00".encode("utf-8", "surrogatepass"),
            json.dumps({**HERE, "v": 1}),
            json.dumps({**HERE, "t": PLAIN}),
            json.dumps({**HERE, "v": 2, "t": PLAIN}),
            json.dumps({**HERE, "v": 1, "t": 7}),
            json.dumps({**HERE, "v": 1, "t": None}),
            '{"v":1,"t":"x",' + place[:-2],
        ):
            data = plaintext if isinstance(plaintext, bytes) else plaintext.encode()
            with pytest.raises(TokenUndecryptable) as caught:
                fields.reveal(Sealed(keyring.seal(data)), HERE)
            assert caught.value.code == "not_an_envelope"
            assert PLAIN not in "".join(traceback.format_exception(caught.value))


class SealedTextFieldTests(SimpleTestCase):
    field: SealedTextField = ConnectedAccount._meta.get_field("access_token")

    def test_it_makes_no_form_field(self):
        assert self.field.formfield() is None
        assert self.field.formfield(required=True) is None

    def test_a_text_on_an_instance_is_sealed_before_it_is_written(self):
        provider = Provider(client_secret=PLAIN)

        written = Provider._meta.get_field("client_secret").pre_save(provider, True)

        assert isinstance(written, Sealed)
        assert provider.client_secret is written
        assert provider.reveal("client_secret") == Secret(PLAIN)

    def test_what_is_sealed_is_written_as_it_is(self):
        sealed = Sealed(b"bytes")
        provider = Provider(client_secret=sealed)

        assert (
            Provider._meta.get_field("client_secret").pre_save(provider, False)
            is sealed
        )

    def test_a_plain_value_is_refused_where_the_row_is_unknown(self):
        for value in (PLAIN, PLAIN.encode(), Secret(PLAIN), 7, ["x"], True):
            with pytest.raises(
                TypeError, match="access_token takes sealed values only"
            ):
                self.field.get_db_prep_save(value, None)
            with pytest.raises(TypeError, match="takes sealed values only"):
                self.field.get_db_prep_value(value, None)

    def test_what_django_asks_for_inside_of_case_is_the_same(self):
        sealed = Sealed(b"bytes")

        for prepared in (False, True):
            value = self.field.get_db_prep_value(sealed, connection, prepared)
            assert bytes(value) == b"bytes"

    def test_nothing_stays_nothing(self):
        assert self.field.get_db_prep_save(None, None) is None
        assert self.field.from_db_value(None, None, None) is None

    def test_the_database_gives_an_unopened_value(self):
        value = self.field.from_db_value(memoryview(b"any bytes"), None, None)

        assert value == Sealed(b"any bytes")
        assert self.field.to_python(value) is value

    def test_no_lookup_but_isnull(self):
        for lookup in ("", "__exact", "__contains", "__in", "__gt"):
            with pytest.raises(FieldError):
                str(
                    ConnectedAccount.objects.filter(
                        **{f"access_token{lookup}": "x"}
                    ).query
                )
        for value in (True, False):
            ConnectedAccount.objects.filter(access_token__isnull=value)

    def test_the_default_is_nothing(self):
        assert ConnectedAccount().access_token is None
        assert SealedTextField(default="x").get_default() is None

    def test_it_is_written_into_migrations_as_itself(self):
        _name, path, _args, kwargs = self.field.deconstruct()

        assert path == "oauth_accounts.fields.SealedTextField"
        assert kwargs["null"] is True

    def test_expressions_are_looked_through_to_their_leaves(self):
        sealed = Value(Sealed(b"bytes"), output_field=SealedTextField())
        good = [
            sealed,
            Value(None),
            Case(When(pk=1, then=sealed), default=sealed),
            Case(When(pk=1, then=sealed)),
            Coalesce(sealed, Value(None)),
            Coalesce(Case(When(pk=1, then=sealed)), sealed),
        ]
        bad = [
            Value(PLAIN),
            Value(Secret(PLAIN)),
            Value(Sealed(b"bytes")),
            Case(When(pk=1, then=sealed), default=Value(PLAIN)),
            Case(When(pk=1, then=Value(PLAIN)), default=sealed),
            Coalesce(sealed, Value(PLAIN)),
            Concat(sealed, sealed),
            RawSQL("'plain'", ()),
            ConnectedAccount.objects.all().query,
        ]

        for expression in good:
            assert self.field.get_db_prep_save(expression, None) is expression
        for expression in bad:
            with pytest.raises(TypeError, match="access_token takes"):
                self.field.get_db_prep_save(expression, None)

    def test_an_unresolved_f_is_refused(self):
        with pytest.raises(TypeError):
            self.field.get_db_prep_save(F("label"), None)
