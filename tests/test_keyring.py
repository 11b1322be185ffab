from __future__ import annotations

import base64
import os

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.test import SimpleTestCase, override_settings
from fernet_fields.hkdf import derive_fernet_key

from oauth_accounts import keyring
from oauth_accounts.exceptions import TokenUndecryptable

OLD = "old-sealing-key-made-up-for-this-test-0b6f2c81"
NEW = "new-sealing-key-made-up-for-this-test-94ad7e35"
SECRET_KEY = "signing-key-made-up-for-this-test-5a81c0de77"

MALFORMED = {
    "one str": (OLD, "must be a list"),
    "one bytes": (OLD.encode(), "must be a list"),
    "set": ({OLD}, "must be a list"),
    "number": (7, "must be a list"),
    "generator": ((key for key in [OLD]), "must be a list"),
    "empty list": ([], "is empty"),
    "empty tuple": ((), "is empty"),
    "unset variable": ([None], "FERNET_KEYS[0] is not a str or bytes"),
    "unset variable as text": (["None"], "FERNET_KEYS[0] is shorter"),
    "a list in the list": ([[OLD]], "FERNET_KEYS[0] is not a str or bytes"),
    "empty key": ([""], "FERNET_KEYS[0] is shorter"),
    "short key": (["secret"], "FERNET_KEYS[0] is shorter"),
    "31 characters": ([OLD[:31]], "FERNET_KEYS[0] is shorter"),
    "one letter held down": (["a" * 64], "FERNET_KEYS[0] repeats"),
    "seven letters": (["abcdefg" * 8], "FERNET_KEYS[0] repeats"),
    "the signing key": ([SECRET_KEY], "FERNET_KEYS[0] is SECRET_KEY"),
    "the signing key as bytes": ([SECRET_KEY.encode()], "FERNET_KEYS[0] is SECRET_KEY"),
    "twice": ([OLD, NEW, OLD], "the same key twice"),
    "twice as str and bytes": ([OLD, OLD.encode()], "the same key twice"),
    "second one bad": ([OLD, "short"], "FERNET_KEYS[1] is shorter"),
}


def flip(data: bytes, position: int) -> bytes:
    """Change one bit of a byte."""
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]


@override_settings(SECRET_KEY=SECRET_KEY, FERNET_KEYS=[OLD], DEBUG=False)
class KeyringTests(SimpleTestCase):
    def test_what_is_sealed_opens(self):
        ciphertext = keyring.seal(b"plain")

        assert b"plain" not in ciphertext
        assert keyring.open_sealed(ciphertext) == b"plain"

    def test_the_key_is_derived_as_the_field_package_does_it(self):
        fernet = Fernet(derive_fernet_key(OLD))

        assert fernet.decrypt(keyring.seal(b"plain")) == b"plain"
        assert keyring.open_sealed(fernet.encrypt(b"plain")) == b"plain"

    def test_the_first_key_writes_and_every_key_reads(self):
        old = keyring.seal(b"plain")
        old_id = keyring.current_key_id()

        with override_settings(FERNET_KEYS=[NEW, OLD]):
            new = keyring.seal(b"plain")
            assert keyring.open_sealed(old) == b"plain"
            assert keyring.key_id_of(old) == old_id
            assert keyring.key_id_of(new) == keyring.current_key_id() != old_id

        with pytest.raises(TokenUndecryptable):
            keyring.open_sealed(new)
        assert keyring.key_id_of(new) is None

    def test_override_settings_takes_effect_at_once_and_ends_at_once(self):
        ciphertext = keyring.seal(b"plain")

        with override_settings(FERNET_KEYS=[NEW]), pytest.raises(TokenUndecryptable):
            keyring.open_sealed(ciphertext)

        assert keyring.open_sealed(ciphertext) == b"plain"

    def test_a_flipped_bit_anywhere_is_noticed(self):
        ciphertext = keyring.seal(b"plain")
        raw = base64.urlsafe_b64decode(ciphertext)

        for position in range(len(raw)):
            changed = base64.urlsafe_b64encode(flip(raw, position))
            with pytest.raises(TokenUndecryptable):
                keyring.open_sealed(changed)
        for position in range(len(ciphertext) - 2):  # padding follows
            with pytest.raises(TokenUndecryptable):
                keyring.open_sealed(flip(ciphertext, position))

    def test_garbage_does_not_open(self):
        for garbage in (b"", b"x", b"\x00" * 200, os.urandom(100), b"gAAAA"):
            with pytest.raises(TokenUndecryptable):
                keyring.open_sealed(garbage)
            assert keyring.key_id_of(garbage) is None

    def test_the_error_carries_neither_ciphertext_nor_cause(self):
        with pytest.raises(TokenUndecryptable) as caught:
            keyring.open_sealed(b"gAAAA-ciphertext")

        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
        assert "gAAAA" not in str(caught.value)

    def test_key_ids_say_nothing_of_the_key_and_do_not_change(self):
        ring = keyring.current()

        assert ring.ids == (keyring.current_key_id(),)
        assert len(ring.current_id) == 8
        assert ring.current_id not in OLD
        assert keyring.current().ids == ring.ids

    def test_a_key_may_be_bytes(self):
        ciphertext = keyring.seal(b"plain")

        with override_settings(FERNET_KEYS=(OLD.encode(),)):
            assert keyring.open_sealed(ciphertext) == b"plain"

    def test_without_derivation_the_key_has_to_be_a_fernet_key(self):
        key = Fernet.generate_key().decode()

        with override_settings(FERNET_USE_HKDF=False):
            assert keyring.key_problems([key]) == []
            [problem] = keyring.key_problems([OLD])
        assert "is not a Fernet key" in problem
        with override_settings(FERNET_USE_HKDF=False, FERNET_KEYS=[key]):
            assert Fernet(key).decrypt(keyring.seal(b"plain")) == b"plain"


class TestMalformedKeys:
    @pytest.mark.parametrize("keys", MALFORMED)
    def test_nothing_is_sealed_or_opened(self, keys, settings):
        value, problem = MALFORMED[keys]
        settings.SECRET_KEY = SECRET_KEY
        settings.FERNET_KEYS = value

        assert problem in keyring.key_problems(value)[0]
        for work in (keyring.seal, keyring.open_sealed, keyring.key_id_of):
            with pytest.raises(ImproperlyConfigured) as caught:
                work(b"any")
            assert problem in str(caught.value)

    @pytest.mark.parametrize("keys", MALFORMED)
    def test_the_problem_quotes_no_key(self, keys, settings):
        value, _problem = MALFORMED[keys]
        settings.SECRET_KEY = SECRET_KEY

        said = " ".join(keyring.key_problems(value))

        for secret in (OLD, NEW, SECRET_KEY, OLD[:31], "abcdefg"):
            assert secret not in said

    def test_every_bad_key_is_named(self):
        problems = keyring.key_problems(["short", OLD, None])

        assert [problem[:14] for problem in problems] == [
            "FERNET_KEYS[0]",
            "FERNET_KEYS[2]",
        ]


class TestUnsetKeys:
    @pytest.mark.parametrize("how", ["None", "absent"])
    def test_nothing_works_without_debug(self, how, settings):
        settings.DEBUG = False
        settings.FERNET_KEYS = None
        if how == "absent":
            del settings.FERNET_KEYS

        with pytest.raises(ImproperlyConfigured, match="FERNET_KEYS is not set"):
            keyring.seal(b"plain")

    def test_the_signing_key_stands_in_while_debug_is_on(self, settings):
        settings.DEBUG = True
        del settings.FERNET_KEYS

        ciphertext = keyring.seal(b"plain")
        settings.SECRET_KEY = NEW

        with pytest.raises(TokenUndecryptable):
            keyring.open_sealed(ciphertext)
