from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from oauth_accounts.protocol.tokens import TokenSet, parse_token_answer

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
YEAR = 365 * 86_400


def parse(*, body=None, separator=" ", **members) -> TokenSet:
    document = {"access_token": "at", "token_type": "Bearer", "refresh_token": "new"}
    document.update(members)
    if body is None:
        body = json.dumps(document).encode()
    return parse_token_answer(body, issued_at=NOW, scope_separator=separator)


def value(secret):
    return None if secret is None else secret.get_value()


class TestWellFormedAnswers:
    def test_everything_is_read(self):
        tokens = parse(
            expires_in=3600,
            scope="read write",
            id_token="a.b.c",
            refresh_token_expires_in=86_400,
        )
        assert value(tokens.access_token) == "at"
        assert value(tokens.refresh_token) == "new"
        assert value(tokens.id_token) == "a.b.c"
        assert tokens.token_type == "Bearer"
        assert tokens.scopes == ("read", "write")
        assert tokens.expires_in == 3600
        assert tokens.refresh_token_expires_in == 86_400
        assert tokens.issued_at == NOW
        assert tokens.usable
        assert tokens.problem is None
        assert tokens.raw_body is None
        assert tokens.extra == {}

    def test_a_byte_order_mark_is_harmless(self):
        body = b'\xef\xbb\xbf{"access_token": "at", "token_type": "bearer"}'
        assert parse(body=body).usable

    def test_nothing_secret_is_printed(self):
        tokens = parse(
            access_token="s3cret-a", refresh_token="s3cret-r", id_token="s3c"
        )
        assert "s3c" not in repr(tokens)
        assert "s3c" not in repr(parse(body=b"<s3cret>"))

    def test_lists_and_objects_elsewhere_do_not_matter(self):
        tokens = parse(team={"a": [1, {"b": None}]}, expires_at=9_999_999_999)
        assert tokens.usable


class TestRefreshToken:
    @pytest.mark.parametrize("sent", [None, "", 5, True, ["x"], {"a": 1}, "\ud800"])
    def test_e15_what_is_no_token_means_keep_the_old_one(self, sent):
        tokens = parse(refresh_token=sent)
        assert tokens.refresh_token is None
        assert tokens.usable

    def test_e15_omitted(self):
        tokens = parse(body=b'{"access_token": "at", "token_type": "bearer"}')
        assert tokens.refresh_token is None

    def test_other_scripts_are_kept(self):
        assert value(parse(refresh_token="jeton-é😀").refresh_token) == "jeton-é😀"

    @pytest.mark.parametrize(
        ("sent", "seconds"),
        [(60, 60), ("60", 60), (0, None), (-1, None), ("x", None), (10**12, 10 * YEAR)],
    )
    def test_its_lifetime(self, sent, seconds):
        tokens = parse(refresh_token_expires_in=sent)
        assert tokens.refresh_token_expires_in == seconds


class TestLifetime:
    @pytest.mark.parametrize(
        ("literal", "seconds"),
        [
            ("3600", 3600),
            ('"3600"', 3600),
            ('" 3600 "', 3600),
            ('"+60"', 60),
            ("3600.0", 3600),
            ('"3600.5"', None),
            ("3600.9", None),
            ("true", None),
            ("false", None),
            ("null", None),
            ("[1]", None),
            ('{"a": 1}', None),
            ('"abc"', None),
            ('""', None),
            ('"\\u0663\\u0660"', None),
            ("NaN", None),
            ("Infinity", None),
            ("-Infinity", None),
            ("1e400", YEAR),
            ("1e30", YEAR),
            ("1" + "0" * 30, YEAR),
            ("9" * 100_000, YEAR),
            ("-" + "9" * 100_000, 0),
            ('"' + "9" * 100_000 + '"', None),
            ("0", 0),
            ("-1", 0),
            ('"-30"', 0),
            (str(YEAR + 1), YEAR),
        ],
    )
    def test_e19_any_value_leaves_the_new_tokens_usable(self, literal, seconds):
        body = (
            '{"access_token": "at", "token_type": "bearer", "refresh_token": "new", '
            f'"expires_in": {literal}}}'
        )
        tokens = parse(body=body.encode())
        assert tokens.expires_in == seconds
        assert value(tokens.refresh_token) == "new"
        assert tokens.usable

    def test_e20_a_server_sent_date_is_ignored(self):
        tokens = parse(expires_at=9_999_999_999, expires_in=60)
        assert tokens.expires_in == 60


class TestProblems:
    @pytest.mark.parametrize(
        ("sent", "problem"),
        [
            (None, "missing_access_token"),
            ("", "missing_access_token"),
            (5, "invalid_access_token"),
            (True, "invalid_access_token"),
            (["at"], "invalid_access_token"),
            ("a\r\nX: y", "invalid_access_token"),
            ("a\n", "invalid_access_token"),
            (" at", "invalid_access_token"),
            ("jeton-é", "invalid_access_token"),
            ("a\x00", "invalid_access_token"),
            ("a" * 65_537, "invalid_access_token"),
        ],
    )
    def test_a3_7_e23_unusable_access_tokens_keep_the_refresh_token(
        self, sent, problem
    ):
        tokens = parse(access_token=sent)
        assert tokens.problem == problem
        assert not tokens.usable
        assert tokens.access_token is None
        assert value(tokens.refresh_token) == "new"
        assert tokens.raw_body is None

    @pytest.mark.parametrize("token", ["a b", "a" * 65_536, "~!#"])
    def test_a3_7_every_vschar_token_is_usable(self, token):
        assert value(parse(access_token=token).access_token) == token

    @pytest.mark.parametrize(
        ("sent", "stored"),
        [
            ("mac", "mac"),
            ("N_A", "N_A"),
            (None, ""),
            (5, ""),
            ("a b", ""),
            ("x" * 41, ""),
        ],
    )
    def test_a3_8_foreign_token_types(self, sent, stored):
        tokens = parse(token_type=sent)
        assert tokens.problem == "token_type"
        assert tokens.token_type == stored
        assert tokens.access_token is None
        assert value(tokens.refresh_token) == "new"

    @pytest.mark.parametrize("sent", ["Bearer", "bearer", "BEARER"])
    def test_a3_8_bearer_in_any_case(self, sent):
        assert parse(token_type=sent).token_type == "Bearer"

    @pytest.mark.parametrize(
        "body",
        [
            b"<html>502</html>",
            b"access_token=at&token_type=bearer",
            b"[]",
            b"null",
            b'"text"',
            b"5",
            b"{",
            b'{"access_token": "at"} x',
            b'{"access_token": "a", "access_token": "b", "token_type": "bearer"}',
            b"\xff\xfe{}",
            b'{"access_token": "\xff"}',
            b"[" * 100_000,
            b'{"a":' * 50_000,
        ],
    )
    def test_e24_unparsable_bodies_are_kept_for_recovery(self, body):
        tokens = parse(body=body)
        assert tokens.problem == "unparsable"
        assert not tokens.usable
        assert tokens.refresh_token is None
        kept = value(tokens.raw_body)
        assert kept.startswith(body[:5].decode("utf-8", "backslashreplace"))

    def test_e24_at_most_64_kb_of_it(self):
        assert len(value(parse(body=b"\xff" * 200_000).raw_body)) == 65_536

    def test_an_empty_body_leaves_nothing_to_keep(self):
        tokens = parse(body=b"")
        assert tokens.problem == "unparsable"
        assert tokens.raw_body is None

    def test_repeated_members_inside_other_objects_do_not_matter(self):
        body = b'{"access_token": "a", "token_type": "bearer", "x": {"a": 1, "a": 2}}'
        assert parse(body=body).usable


class TestScopes:
    @pytest.mark.parametrize(
        ("sent", "separator", "scopes"),
        [
            ("a b", " ", ("a", "b")),
            (" a   b ", " ", ("a", "b")),
            ("a,b", " ", ("a", "b")),
            ("a,b", ",", ("a", "b")),
            ("a, b", ",", ("a", "b")),
            ("a b", ",", ("a", "b")),
            ("a,x b", " ", ("a,x", "b")),
            ("a+b", "+", ("a", "b")),
            (["a", "b"], " ", ("a", "b")),
            (["a", 5, None, "b c", ""], " ", ("a",)),
            ("a b a", " ", ("a", "b")),
            ("", " ", ()),
            (None, " ", None),
            (5, " ", None),
            ({"a": 1}, " ", None),
            ("a \x00 é \ud800", " ", ("a",)),
            ("x" * 501, " ", ()),
            ([str(i) for i in range(600)], " ", tuple(str(i) for i in range(500))),
        ],
    )
    def test_a3_10_granted_scopes(self, sent, separator, scopes):
        tokens = parse(scope=sent, separator=separator)
        assert tokens.scopes == scopes
        assert tokens.usable
