"""The keys of providers: asked for rarely, kept for a while, and never made up."""

from __future__ import annotations

import os
import threading
import time
import warnings

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from oauth_accounts.exceptions import (
    AuthorizationError,
    ProviderMisconfigured,
    ProviderUnavailable,
)
from oauth_accounts.protocol import jwks
from oauth_accounts.protocol.jwks import find_key
from oauth_accounts.testing.server import Answer, FakeProvider


class Clock:
    def __init__(self):
        self.now = 10_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    moved = Clock()
    monkeypatch.setattr(jwks, "monotonic", moved)
    return moved


@pytest.fixture
def idp():
    with FakeProvider() as server:
        yield server


def find(idp, key_id=None, algorithm="RS256"):
    return find_key(
        idp.jwks_uri, algorithm=algorithm, key_id=key_id or idp.id_tokens.key_id
    )


def code(idp, key_id=None, kind=AuthorizationError):
    with pytest.raises(kind) as caught:
        find(idp, key_id)
    return caught.value.code


def times_asked(idp):
    return sum(request.path.startswith("/jwks/") for request in idp.requests)


class TestHowOften:
    def test_a4_3_keys_are_fetched_once_in_an_hour(self, idp, clock):
        for _time in range(10):
            assert find(idp).key_id == idp.id_tokens.key_id
            clock.now += jwks.FRESH_SECONDS / 10 - 1
        assert times_asked(idp) == 1
        clock.now += 10
        find(idp)
        assert times_asked(idp) == 2

    def test_a4_3_unknown_keys_are_asked_for_once_a_minute(self, idp, clock):
        find(idp)
        for number in range(100):
            assert code(idp, f"unknown-{number}") == "id_token_key"
        assert times_asked(idp) == 1
        clock.now += jwks.REFETCH_SECONDS
        for number in range(100):
            assert code(idp, f"unknown-{number}") == "id_token_key"
        assert times_asked(idp) == 2
        clock.now += jwks.REFETCH_SECONDS - 1
        assert code(idp, "unknown") == "id_token_key"
        assert times_asked(idp) == 2

    def test_a4_3_a_new_key_is_found_and_the_old_one_gone(self, idp, clock):
        find(idp)
        old = idp.id_tokens.key_id
        idp.id_tokens.rotate()
        assert idp.id_tokens.jwks["keys"][0]["kid"] != old
        # It is not known yet, and one minute is not over.
        assert code(idp) == "id_token_key"
        assert find(idp, old).key_id == old
        clock.now += jwks.REFETCH_SECONDS
        assert find(idp).key_id == idp.id_tokens.key_id
        assert code(idp, old) == "id_token_key"

    def test_a4_3_many_that_come_first_at_the_same_time_ask_once(self, idp):
        idp.script(lambda request: time.sleep(0.2), endpoint="jwks")
        found = []
        threads = [
            threading.Thread(target=lambda: found.append(find(idp).key_id))
            for _number in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [idp.id_tokens.key_id] * 8
        assert times_asked(idp) == 1

    def test_a_child_process_asks_for_itself(self, idp):
        find(idp)
        known = jwks.key_set(idp.jwks_uri)
        # As at a fork in the middle of a fetch: the lock will never be released there.
        with known._lock, warnings.catch_warnings():
            # Python 3.12 warns of forks beside threads, which is what this is about.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
            if child == 0:
                fresh = jwks.key_set(idp.jwks_uri)
                os._exit(0 if fresh is not known and fresh.ask() is None else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    def test_the_memory_is_bounded(self):
        for number in range(3 * jwks.MAX_PROVIDERS):
            jwks.key_set(f"https://as{number}.example/jwks")
            assert len(jwks._sets) <= jwks.MAX_PROVIDERS


class TestFailures:
    def fail(self, idp, answer):
        idp.script(*[answer] * 3, endpoint="jwks")

    @pytest.mark.parametrize(
        "answer",
        [
            Answer(drop=True),
            Answer(status=500, json={"keys": []}),
            Answer(status=302, headers={"Location": "https://evil.example/jwks"}),
            Answer(body="<html>"),
            Answer(json=[]),
            Answer(json={}),
            Answer(json={"keys": {"kid": "k"}}),
            Answer(json={"keys": [], "padding": "x" * 600_000}),
        ],
    )
    def test_a4_3_keys_that_cannot_be_read(self, idp, clock, answer):
        self.fail(idp, answer)
        with pytest.raises(ProviderUnavailable) as caught:
            find(idp)
        assert caught.value.code == "keys_unavailable"
        assert caught.value.retry_after == 60
        clock.now += 20
        with pytest.raises(ProviderUnavailable) as caught:
            find(idp)
        assert caught.value.retry_after == 40
        assert times_asked(idp) == 1

    def test_keys_that_are_known_outlast_a_failure(self, idp, clock):
        find(idp)
        known = idp.id_tokens.key_id
        clock.now += jwks.REFETCH_SECONDS
        self.fail(idp, Answer(status=503))
        assert code(idp, "unknown") == "id_token_key"
        assert find(idp, known).key_id == known
        # But not for ever.
        clock.now += jwks.FRESH_SECONDS
        assert code(idp, known, ProviderUnavailable) == "keys_unavailable"

    @pytest.mark.parametrize(
        ("uri", "reason"),
        [
            ("http://as.example/jwks", "url_refused"),
            ("https://169.254.169.254/jwks", "url_refused"),
            ("file:///etc/passwd", "url_refused"),
            ("", "request_refused"),
        ],
    )
    def test_d2_an_address_that_must_not_be_called(self, uri, reason):
        for _time in range(2):
            with pytest.raises(ProviderMisconfigured) as caught:
                find_key(uri, algorithm="RS256", key_id=None)
            assert caught.value.code == reason


class TestWhatIsAKey:
    def published(self, idp, *keys):
        idp.script(Answer(json={"keys": list(keys)}), endpoint="jwks")

    @pytest.mark.parametrize(
        "change",
        [
            {"use": "enc"},
            {"use": None},
            {"kty": "oct", "k": "c2VjcmV0"},
            {"kty": None},
            {"d": "AQAB"},
            {"alg": "RS512"},
            {"alg": "HS256"},
            {"n": None},
            {"n": 5},
            {"n": "!"},
            {"n": ""},
            {"e": ""},
            {"e": "AA"},
            {"n": "A" * 400_000},
        ],
    )
    def test_a4_3_what_is_no_public_key_for_signatures(self, idp, change):
        [key] = idp.id_tokens.jwks["keys"]
        self.published(idp, {**key, **change})
        assert code(idp) == "id_token_key"

    @pytest.mark.parametrize("key", [None, 5, "key", [], {}])
    def test_what_is_no_key_at_all(self, idp, key):
        [right] = idp.id_tokens.jwks["keys"]
        self.published(idp, key, right)
        assert find(idp).key_id == idp.id_tokens.key_id

    def test_a4_3_two_keys_of_one_name_are_none(self, idp):
        [key] = idp.id_tokens.jwks["keys"]
        self.published(idp, key, {**key, "n": key["n"][::-1]})
        assert code(idp) == "id_token_key"

    def test_a_few_keys_are_looked_at(self, idp):
        [key] = idp.id_tokens.jwks["keys"]
        others = [{**key, "kid": f"other-{number}"} for number in range(100)]
        self.published(idp, *others, key)
        assert code(idp) == "id_token_key"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)
MEMBERS = st.sampled_from(["kty", "crv", "n", "e", "x", "y", "kid", "alg", "use"])
KINDS = st.sampled_from(["RSA", "EC", "OKP", "P-256", "Ed25519", "AQAB", "A" * 43])


@given(
    key=st.dictionaries(MEMBERS, KINDS | JSON),
    algorithm=st.sampled_from(["RS256", "PS512", "ES256", "ES512", "EdDSA"]),
)
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_d10_any_key_is_loaded_or_is_none(key, algorithm):
    keys = jwks.KeySet("https://as.example/jwks")
    keys._keys, keys._read_at = (key,), time.monotonic()
    found = keys.find(algorithm, None)
    assert found is None or found.algorithm_name == algorithm
