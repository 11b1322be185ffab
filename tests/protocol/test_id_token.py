"""What an ID token has to be, and each thing that it may not be."""

from __future__ import annotations

import hashlib
import json
import time
from base64 import urlsafe_b64encode
from dataclasses import replace
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from oauth_accounts.exceptions import AuthorizationError, OAuthAccountsError
from oauth_accounts.fields import Secret
from oauth_accounts.protocol import id_token
from oauth_accounts.protocol.id_token import Expected, verify_id_token
from oauth_accounts.testing.server import Answer, FakeProvider
from tests.protocol.signing import encode, sign, sign_by_hand

CLIENT = "client-1"
NONCE = "n-0S6_WzA2Mj"
ACCESS_TOKEN = "at-0123456789"
KEYS = {
    "RS": rsa.generate_private_key(65537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "ES512": ec.generate_private_key(ec.SECP521R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
SIZES = {"ES256": "sha256", "ES384": "sha384", "ES512": "sha512", "EdDSA": "sha512"}


@pytest.fixture(scope="module")
def idp():
    with FakeProvider() as server:
        yield server


@pytest.fixture
def expected(idp):
    return Expected(
        issuer=idp.issuer,
        client_id=CLIENT,
        nonce=Secret(NONCE),
        access_token=Secret(ACCESS_TOKEN),
        jwks_uri=idp.jwks_uri,
    )


@pytest.fixture
def claims(idp):
    now = int(time.time())
    return {
        "iss": idp.issuer,
        "sub": "alice",
        "aud": CLIENT,
        "nonce": NONCE,
        "iat": now,
        "exp": now + 300,
    }


@pytest.fixture
def publish(idp):
    """Publish other keys, at an address of their own."""

    def publish(expected, *keys):
        idp.script(Answer(json={"keys": list(keys)}), endpoint="jwks")
        return replace(expected, jwks_uri=f"{idp.issuer}/jwks/{uuid4()}")

    return publish


def refusal(token, expected, kind=AuthorizationError):
    with pytest.raises(kind) as caught:
        verify_id_token(Secret(token), expected)
    return caught.value.code


def public(key, **members):
    if isinstance(key, rsa.RSAPrivateKey):
        kind = RSAAlgorithm
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        kind = ECAlgorithm
    else:
        kind = OKPAlgorithm
    return {**kind.to_jwk(key.public_key(), as_dict=True), "kid": "k", **members}


def half(digest, text=ACCESS_TOKEN):
    whole = hashlib.new(digest, text.encode()).digest()
    return urlsafe_b64encode(whole[: len(whole) // 2]).rstrip(b"=").decode()


class TestRight:
    def test_the_subject_is_returned(self, idp, claims, expected):
        assert verify_id_token(Secret(idp.id_tokens.sign(claims)), expected) == "alice"

    def test_what_is_not_needed_may_be_there(self, idp, claims, expected):
        claims |= {
            "aud": [CLIENT],
            "azp": CLIENT,
            "nbf": claims["iat"],
            "at_hash": half("sha256"),
            "email": "alice@example.com",
            "email_verified": True,
        }
        token = idp.id_tokens.sign(claims, x5t="abc", typ=None)
        assert verify_id_token(Secret(token), expected) == "alice"

    @pytest.mark.parametrize("algorithm", sorted(id_token.ALGORITHMS))
    def test_a4_3_a4_5_each_algorithm_that_is_allowed(
        self, algorithm, claims, expected, publish
    ):
        key = KEYS.get(algorithm, KEYS["RS"])
        digest = SIZES.get(algorithm, f"sha{algorithm[2:]}")
        expected = publish(expected, public(key))
        token = sign(key, claims | {"at_hash": half(digest)}, algorithm, kid="k")
        assert verify_id_token(Secret(token), expected) == "alice"
        other = "sha384" if digest != "sha384" else "sha256"
        token = sign(key, claims | {"at_hash": half(other)}, algorithm, kid="k")
        assert refusal(token, expected) == "id_token_hash"

    def test_a_token_may_name_no_key_where_one_fits(self, claims, expected, publish):
        expected = publish(
            expected, public(KEYS["RS"]), public(KEYS["ES256"]), public(KEYS["ES384"])
        )
        token = sign(KEYS["RS"], claims)
        assert verify_id_token(Secret(token), expected) == "alice"
        # Core section 10.1: it has to, where several fit.
        token = sign(KEYS["ES256"], claims, "ES256")
        assert refusal(token, expected) == "id_token_key"


class TestForWhom:
    @pytest.mark.parametrize(
        "change",
        [
            lambda issuer: f"{issuer}/",
            lambda issuer: issuer.upper(),
            lambda issuer: issuer.replace("http:", "https:"),
            lambda issuer: issuer.rpartition(":")[0],
            lambda issuer: [issuer],
            lambda issuer: "",
            lambda issuer: None,
        ],
    )
    def test_a4_2_another_issuer(self, idp, claims, expected, change):
        token = idp.id_tokens.sign(claims | {"iss": change(idp.issuer)})
        assert refusal(token, expected) == "id_token_issuer"

    @pytest.mark.parametrize(
        "audience",
        [
            "another",
            "",
            None,
            [],
            ["another"],
            [CLIENT, "stranger"],
            ["stranger", CLIENT],
            {"aud": CLIENT},
            CLIENT.upper(),
            f"{CLIENT} ",
        ],
    )
    def test_a4_2_another_audience(self, idp, claims, expected, audience):
        token = idp.id_tokens.sign(claims | {"aud": audience})
        assert refusal(token, expected) == "id_token_audience"

    @pytest.mark.parametrize("party", ["another", "", [CLIENT], 5])
    def test_a4_2_another_authorized_party(self, idp, claims, expected, party):
        token = idp.id_tokens.sign(claims | {"azp": party})
        assert refusal(token, expected) == "id_token_audience"

    @pytest.mark.parametrize("nonce", ["another", "", None, [NONCE], NONCE.lower()])
    def test_a4_1_another_nonce(self, idp, claims, expected, nonce):
        token = idp.id_tokens.sign(claims | {"nonce": nonce})
        assert refusal(token, expected) == "id_token_nonce"

    @pytest.mark.parametrize("subject", [None, "", 5, ["alice"], "x" * 256])
    def test_no_subject(self, idp, claims, expected, subject):
        token = idp.id_tokens.sign(claims | {"sub": subject})
        assert refusal(token, expected) == "id_token_subject"

    @pytest.mark.parametrize(
        ("name", "meaning"),
        [
            ("iss", "issuer"),
            ("aud", "audience"),
            ("nonce", "nonce"),
            ("sub", "subject"),
            ("exp", "time"),
            ("iat", "time"),
        ],
    )
    def test_a4_2_a4_4_each_claim_is_needed(self, idp, claims, expected, name, meaning):
        del claims[name]
        code = refusal(idp.id_tokens.sign(claims), expected)
        assert code == f"id_token_{meaning}"


class TestWhen:
    @pytest.mark.parametrize(
        ("name", "seconds", "valid"),
        [
            ("exp", -55, True),
            ("exp", -61, False),
            ("exp", 10**9, True),
            ("iat", 55, True),
            ("iat", 70, False),
            ("iat", 600, False),
            ("iat", -(10**6), True),
            ("nbf", 55, True),
            ("nbf", 70, False),
        ],
    )
    def test_a4_4_clocks_may_be_60_seconds_apart(
        self, idp, claims, expected, name, seconds, valid
    ):
        token = idp.id_tokens.sign(claims | {name: int(time.time()) + seconds})
        if valid:
            assert verify_id_token(Secret(token), expected) == "alice"
        else:
            assert refusal(token, expected) == "id_token_time"

    @pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
    @pytest.mark.parametrize(
        "value", ["null", "true", '"9999999999"', "[]", "NaN", "1e400", "9" * 300]
    )
    def test_a4_4_moments_that_are_none(self, idp, claims, expected, name, value):
        del_other = {other: v for other, v in claims.items() if other != name}
        payload = json.dumps(del_other)[:-1] + f', "{name}": {value}}}'
        header = {"alg": "RS256", "kid": idp.id_tokens.key_id}
        token = sign_by_hand(idp.id_tokens.key, header, payload.encode())
        assert refusal(token, expected) == "id_token_time"

    def test_a4_4_a_fraction_of_a_second_is_fine(self, idp, claims, expected):
        token = idp.id_tokens.sign(claims | {"exp": claims["exp"] + 0.5})
        assert verify_id_token(Secret(token), expected) == "alice"


class TestWhoSigned:
    @pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", None, 5])
    @pytest.mark.parametrize("signature", ["", "c2ln"])
    def test_a4_3_nobody(self, claims, expected, algorithm, signature):
        header = {"alg": algorithm, "typ": "JWT"}
        token = f"{encode(header)}.{encode(claims)}.{signature}"
        assert refusal(token, expected) == "id_token_algorithm"

    @pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
    @pytest.mark.parametrize("form", ["pem", "der", "jwk", "secret"])
    def test_a4_3_hmac_with_the_public_key(
        self, idp, claims, expected, algorithm, form
    ):
        key = idp.id_tokens.key.public_key()
        secrets = {
            "pem": key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "der": key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            "jwk": json.dumps(idp.id_tokens.jwks["keys"][0]).encode(),
            "secret": idp.client_secret.encode(),
        }
        header = {"alg": algorithm, "kid": idp.id_tokens.key_id}
        payload = json.dumps(claims).encode()
        token = sign_by_hand(secrets[form], header, payload)
        assert refusal(token, expected) == "id_token_algorithm"

    @pytest.mark.parametrize("algorithm", ["ES256K", "RS1", "dir", "RSA-OAEP", "rs256"])
    def test_a4_3_an_algorithm_that_is_not_allowed(self, claims, expected, algorithm):
        token = f"{encode({'alg': algorithm})}.{encode(claims)}.c2ln"
        assert refusal(token, expected) == "id_token_algorithm"

    @pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c"])
    def test_a4_3_a_key_that_the_token_brings_along(
        self, idp, claims, expected, name, server
    ):
        server.script = b""
        brought = {
            "jwk": public(KEYS["RS"]),
            "jku": f"{server.url}/jwks",
            "x5u": f"{server.url}/certificate",
            "x5c": ["MIIB"],
        }
        for key_id in (idp.id_tokens.key_id, "k"):
            token = sign(KEYS["RS"], claims, kid=key_id, **{name: brought[name]})
            code = refusal(token, expected)
            assert code in {"id_token_signature", "id_token_key"}
        assert server.connections == 0

    def test_a4_3_another_key_under_the_same_name(self, idp, claims, expected):
        token = sign(KEYS["RS"], claims, kid=idp.id_tokens.key_id)
        assert refusal(token, expected) == "id_token_signature"

    @pytest.mark.parametrize("part", [0, 1, 2])
    def test_a4_3_every_part_is_signed(self, idp, claims, expected, part):
        parts = idp.id_tokens.sign(claims | {"x": "abcd"}).split(".")
        other = idp.id_tokens.sign(claims | {"x": "abce"}, typ="at+jwt").split(".")
        parts[part] = other[part]
        assert refusal(".".join(parts), expected) == "id_token_signature"

    def test_a4_3_no_signature(self, idp, claims, expected):
        head, payload, _signature = idp.id_tokens.sign(claims).split(".")
        assert refusal(f"{head}.{payload}.", expected) == "id_token_signature"

    def test_a4_3_a_key_for_another_algorithm(self, claims, expected, publish):
        expected = publish(expected, public(KEYS["RS"], alg="RS256"))
        token = sign(KEYS["RS"], claims, "PS256", kid="k")
        assert refusal(token, expected) == "id_token_key"

    def test_a4_3_a_curve_for_another_algorithm(self, claims, expected, publish):
        expected = publish(expected, public(KEYS["ES384"]))
        header = {"alg": "ES256", "kid": "k"}
        token = f"{encode(header)}.{encode(claims)}.{encode(b's' * 64)}"
        assert refusal(token, expected) == "id_token_signature"

    def test_a4_3_a_short_key(self, claims, expected, publish):
        short = rsa.generate_private_key(65537, 1024)  # noqa: S505
        expected = publish(expected, public(short))
        header = {"alg": "RS256", "kid": "k"}
        token = sign_by_hand(short, header, json.dumps(claims).encode())
        assert refusal(token, expected) == "id_token_signature"

    def test_a4_5_the_hash_of_another_curve_is_not_known(
        self, claims, expected, publish
    ):
        key = ed448.Ed448PrivateKey.generate()
        expected = publish(expected, public(key))
        shake = hashlib.shake_256(ACCESS_TOKEN.encode()).digest(114)[:57]
        token = sign(key, claims | {"at_hash": encode(shake)}, "EdDSA", kid="k")
        assert refusal(token, expected) == "id_token_hash"


class TestForm:
    @pytest.mark.parametrize(
        "header",
        [
            {"crit": ["exp"], "exp": 1},
            {"crit": ["http://example.com/x"], "http://example.com/x": 1},
            {"crit": ["b64"], "b64": True},
            {"crit": []},
            {"zip": "DEF"},
            {"enc": "A256GCM"},
            {"kid": 5},
            {"kid": ["k"]},
        ],
    )
    def test_a4_3_a4_5_headers_that_are_not_understood(
        self, idp, claims, expected, header
    ):
        whole = {"alg": "RS256", "kid": idp.id_tokens.key_id, **header}
        payload = json.dumps(claims).encode()
        token = sign_by_hand(idp.id_tokens.key, whole, payload)
        assert refusal(token, expected) == "id_token_malformed"

    @pytest.mark.parametrize(
        "token",
        [
            "",
            ".",
            "..",
            "a.b",
            "a.b.c",
            "e30",
            "W10.e30.",
            "!!!.e30.c2ln",
            "é.é.é",
            encode(b"[" * 9000) + ".e30.c2ln",
            encode(b'{"alg": "RS256", "alg": "none"}') + ".e30.c2ln",
            encode(b"\xff\xfe") + ".e30.c2ln",
            # An encrypted token has five parts.
            encode({"alg": "RSA-OAEP", "enc": "A128GCM"}) + ".a.b.c.d",
        ],
    )
    def test_a4_5_what_is_no_signed_token(self, expected, token):
        assert refusal(token, expected) == "id_token_malformed"

    @pytest.mark.parametrize(
        "payload",
        [
            b"[]",
            b'"text"',
            b"{",
            b"",
            b"\xff",
            b"[" * 9000,
            b'{"sub": "alice", "sub": "bob"}',
        ],
    )
    def test_a4_5_claims_that_are_no_object(self, idp, expected, payload):
        header = {"alg": "RS256", "kid": idp.id_tokens.key_id}
        token = sign_by_hand(idp.id_tokens.key, header, payload)
        assert refusal(token, expected) == "id_token_malformed"

    def test_a4_5_the_longest_token(self, idp, claims, expected, monkeypatch):
        token = idp.id_tokens.sign(claims | {"x": "y" * 24_000})
        assert 32_000 < len(token) <= 32_768
        assert verify_id_token(Secret(token), expected) == "alice"
        # 1 MB is refused by its length: nothing is decoded, nobody is asked.
        monkeypatch.setattr(id_token, "read_part", pytest.fail)
        monkeypatch.setattr(id_token, "find_key", pytest.fail)
        for size in (25_000, 1_000_000):
            token = idp.id_tokens.sign(claims | {"x": "y" * size})
            assert refusal(token, expected) == "id_token_malformed"

    @pytest.mark.parametrize(
        "value", ["", "wrong", 5, [], half("sha256", "another"), half("sha512")]
    )
    def test_a4_5_a_hash_of_another_access_token(self, idp, claims, expected, value):
        token = idp.id_tokens.sign(claims | {"at_hash": value})
        assert refusal(token, expected) == "id_token_hash"

    def test_errors_hold_nothing_of_the_token(self, idp, claims, expected):
        token = idp.id_tokens.sign(claims | {"nonce": "s3cret", "aud": "s3cret"})
        with pytest.raises(AuthorizationError) as caught:
            verify_id_token(Secret(token), expected)
        assert "s3cret" not in str(caught.value)
        assert caught.value.__cause__ is caught.value.__context__ is None
        assert NONCE not in repr(expected)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
NAMES = ["iss", "sub", "aud", "azp", "nonce", "iat", "exp", "nbf", "at_hash"]


@given(
    changed=st.dictionaries(st.sampled_from(NAMES), JSON, min_size=1),
    header=st.dictionaries(st.sampled_from(["alg", "kid", "typ", "x5c"]), JSON),
)
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_d10_any_claims_are_believed_or_refused(idp, claims, expected, changed, header):
    whole = {"alg": "RS256", "kid": idp.id_tokens.key_id, **header}
    text = f"{encode(whole)}.{encode(json.dumps(claims | changed).encode())}"
    signature = sign_by_hand(idp.id_tokens.key, {"alg": "RS256"}, b"").split(".")[2]
    for token in (text, f"{text}.{signature}"):
        with pytest.raises(OAuthAccountsError):
            verify_id_token(Secret(token), expected)


@given(st.text())
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_d10_any_text_is_refused(expected, text):
    with pytest.raises(OAuthAccountsError):
        verify_id_token(Secret(text), expected)
