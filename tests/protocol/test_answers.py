from __future__ import annotations

import json
import math
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_accounts.clock import utcnow
from oauth_accounts.exceptions import (
    AuthorizationError,
    ProviderMisconfigured,
    ProviderUnavailable,
    ReauthRequired,
)
from oauth_accounts.identity import read_identity
from oauth_accounts.protocol.answers import (
    Answer,
    failure_of,
    parse_retry_after,
    read_object,
)

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def failure(
    status: int, document: Any = None, *, body: bytes | None = None, after=None
):
    content = json.dumps(document).encode() if body is None else body
    return failure_of(
        Answer(status=status, body=content, sent_at=NOW, retry_after=after)
    )


class TestFailures:
    @pytest.mark.parametrize("status", [200, 400, 401, 403, 429, 500, 503])
    @pytest.mark.parametrize(
        ("code", "error"),
        [
            ("invalid_grant", ReauthRequired),
            ("invalid_client", ProviderMisconfigured),
            ("unauthorized_client", ProviderMisconfigured),
            ("invalid_scope", ProviderMisconfigured),
            ("invalid_request", ProviderMisconfigured),
            ("unsupported_grant_type", ProviderMisconfigured),
        ],
    )
    def test_e11_e12_e13_the_code_decides_whatever_the_status(
        self, status, code, error
    ):
        found = failure(status, {"error": code, "access_token": "at"})
        assert type(found) is error
        assert found.code == code
        assert found.provider_code == code

    @pytest.mark.parametrize("status", [200, 400, 401, 503])
    @pytest.mark.parametrize("code", ["temporarily_unavailable", "server_error"])
    def test_e9_temporary_codes(self, status, code):
        found = failure(status, {"error": code}, after=30)
        assert type(found) is ProviderUnavailable
        assert (found.code, found.retry_after) == (code, 30)

    @pytest.mark.parametrize(
        ("status", "document", "error", "code"),
        [
            (429, None, ProviderUnavailable, "rate_limited"),
            (429, {"error": "too_many"}, ProviderUnavailable, "rate_limited"),
            (
                429,
                {"error": "temporarily_unavailable"},
                ProviderUnavailable,
                "rate_limited",
            ),
            (401, None, ProviderMisconfigured, "invalid_client"),
            (401, {"error": "Unauthorized"}, ProviderMisconfigured, "invalid_client"),
            (500, None, ProviderUnavailable, "server_error"),
            (500, {"access_token": "at"}, ProviderUnavailable, "server_error"),
            (404, None, ProviderUnavailable, "server_error"),
            (400, {"message": "no"}, ProviderUnavailable, "server_error"),
            (201, {"access_token": "at"}, ProviderUnavailable, "server_error"),
            (204, None, ProviderUnavailable, "server_error"),
            (400, {"error": "bad_thing"}, ProviderUnavailable, "unknown_error"),
            (500, {"error": "bad_thing"}, ProviderUnavailable, "unknown_error"),
            (302, {"access_token": "at"}, ProviderMisconfigured, "redirect_refused"),
            (
                307,
                {"error": "invalid_grant"},
                ProviderMisconfigured,
                "redirect_refused",
            ),
        ],
    )
    def test_a3_5_otherwise_the_status_does(self, status, document, error, code):
        found = failure(status, document)
        assert type(found) is error
        assert found.code == code

    def test_html_is_a_server_error(self):
        assert failure(502, body=b"<html>").code == "server_error"

    @pytest.mark.parametrize("value", [{}, {"message": "x"}, [], True, 5])
    def test_a3_9_an_error_that_is_no_string_is_an_error(self, value):
        found = failure(200, {"error": value, "access_token": "at"})
        assert (found.code, found.provider_code) == ("unknown_error", "unknown")

    @pytest.mark.parametrize("value", [None, "", False])
    def test_an_empty_error_is_none(self, value):
        assert failure(200, {"error": value, "access_token": "at"}) is None

    def test_success(self):
        assert failure(200, {"access_token": "at"}) is None
        assert failure(200, body=b"<html>") is None

    def test_d11_provider_text_gets_nowhere(self):
        found = failure(
            400,
            {"error": "s3cret <b>", "error_description": "s3cret", "error_uri": "s"},
        )
        assert found.provider_code == "unknown"
        assert "s3cret" not in f"{found!s} {found!r} {vars(found)}"


# What was seen in answers or stands in the provider's documentation.
DIALECTS = [
    # GitHub
    (200, {"error": "bad_refresh_token"}, "invalid_grant"),
    (200, {"error": "bad_verification_code"}, "invalid_grant"),
    (200, {"error": "incorrect_client_credentials"}, "invalid_client"),
    # Slack
    (200, {"ok": False, "error": "invalid_refresh_token"}, "invalid_grant"),
    (200, {"ok": False, "error": "bad_client_secret"}, "invalid_client"),
    (200, {"ok": False, "error": "invalid_client_id"}, "invalid_client"),
    (200, {"ok": False, "error": "internal_error"}, "server_error"),
    (200, {"ok": False, "error": "fatal_error"}, "server_error"),
    # Zoho
    (200, {"error": "invalid_code"}, "invalid_grant"),
    # EVE Online
    (400, {"error": "invalid_token"}, "invalid_grant"),
    (400, {"error": "invalid_grant: Token is expired or invalid."}, "invalid_grant"),
    # Microsoft
    (400, {"error": "interaction_required"}, "invalid_grant"),
    (400, {"error": "consent_required"}, "invalid_grant"),
    (400, {"error": "login_required"}, "invalid_grant"),
    (400, {"error": "bad_token"}, "invalid_grant"),
    # Atlassian
    (
        403,
        {
            "error": "unauthorized_client",
            "error_description": "refresh_token is invalid",
        },
        "invalid_grant",
    ),
    # league/oauth2-server 7
    (
        401,
        {"error": "invalid_request", "message": "The refresh token is invalid."},
        "invalid_grant",
    ),
    # Square
    (
        401,
        {"type": "service.not_authorized", "message": "Invalid refresh token"},
        "invalid_grant",
    ),
    # HubSpot
    (
        400,
        {"status": "BAD_REFRESH_TOKEN", "message": "missing or invalid refresh token"},
        "invalid_grant",
    ),
    # Supabase
    (
        400,
        {"code": 400, "error_code": "refresh_token_not_found", "msg": "Invalid"},
        "invalid_grant",
    ),
]


def token_failure(status: int, document: Any):
    body = json.dumps(document).encode()
    return failure_of(Answer(status=status, body=body, sent_at=NOW), of_tokens=True)


class TestDialects:
    @pytest.mark.parametrize(("status", "document", "meaning"), DIALECTS)
    def test_e11_e12_a_providers_own_code_means_a_registered_one(
        self, status, document, meaning
    ):
        found = token_failure(status, document)

        assert found.code == meaning
        kinds = {
            "invalid_grant": ReauthRequired,
            "invalid_client": ProviderMisconfigured,
            "server_error": ProviderUnavailable,
        }
        assert type(found) is kinds[meaning]

    def test_the_providers_own_code_is_kept(self):
        found = token_failure(200, {"error": "bad_refresh_token"})
        assert found.provider_code == "bad_refresh_token"

    def test_whatever_the_case(self):
        assert token_failure(400, {"error": "Invalid_Refresh_Token"}).code == (
            "invalid_grant"
        )

    @pytest.mark.parametrize(
        "document",
        [
            {"error": "unauthorized_client"},
            {"error": "unauthorized_client", "error_description": "grant not allowed"},
            {"error": "unauthorized_client", "error_description": ["refresh_token"]},
        ],
    )
    def test_a_text_that_says_something_else_changes_nothing(self, document):
        assert token_failure(403, document).code == "unauthorized_client"

    @pytest.mark.parametrize(
        "document",
        [
            {"status": "bad_request"},
            {"status": 400},
            {"type": ["service.not_authorized"]},
            {"type": "service.not_authorized", "message": "Too bad"},
            {},
            [],
        ],
    )
    def test_what_is_no_code_is_none(self, document):
        assert token_failure(400, document).code == "server_error"

    def test_a_success_is_never_a_failure(self):
        document = {"access_token": "at", "status": "BAD_REFRESH_TOKEN"}
        assert token_failure(200, document) is None

    def test_elsewhere_the_codes_have_no_meaning(self):
        assert failure(400, {"error": "invalid_token"}).code == "unknown_error"


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("header", "seconds"),
        [
            (None, None),
            ("30", 30),
            ("0", 1),
            ("86401", 86_400),
            ("1000000000", 86_400),
            ("9" * 64, 86_400),
            ("9" * 65, None),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
            ("5, 10", None),
            ("٣٠", None),
            ("Wed, 21 Oct 2015 07:28:00 GMT", None),
            ("Wed, 21 Oct 2015 07:28:00 -0000", None),
            ("Wed, 21 Oct 99999999999999999999 07:28:00 GMT", None),
            ("Wed, 99 Foo 9999 99:99:99 GMT", None),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
            ("Fri, 31 Dec 9999 23:59:59 -2359", 86_400),
            ("Mon, 01 Jan 0001 00:00:00 +2359", None),
        ],
    )
    def test_e10_seconds_dates_and_junk(self, header, seconds):
        assert parse_retry_after(header) == seconds

    def test_e10_a_date_ahead(self):
        date = format_datetime(utcnow() + timedelta(seconds=100), usegmt=True)
        assert 95 <= parse_retry_after(date) <= 100

    @pytest.mark.parametrize(
        ("date", "seconds"),
        [
            ("Wed, 21 Oct 2015 07:26:00 GMT", 120),
            ("Wed, 21 Oct 2015 07:28:00 GMT", 1),
            ("Wed, 21 Oct 2015 07:28:01 GMT", None),
            ("Sat, 01 Jan 2000 00:00:00 GMT", 86_400),
            ("junk", None),
            ("", None),
            ("9" * 70, None),
        ],
    )
    def test_e10_a_date_is_counted_from_the_servers_own(self, date, seconds):
        header = "Wed, 21 Oct 2015 07:28:00 GMT"
        assert parse_retry_after(header, date) == seconds

    @given(st.text(max_size=70), st.none() | st.text(max_size=70))
    def test_any_text(self, header, date):
        seconds = parse_retry_after(header, date)
        assert seconds is None or 1 <= seconds <= 86_400


class TestObjects:
    def test_names_that_come_twice_are_refused(self):
        assert read_object(b'{"sub": "a", "sub": "b"}') is None
        assert read_object(b'{"sub": "a", "s\\u0075b": "b"}') is None

    @pytest.mark.parametrize(
        "body",
        [
            b'{"data": {"id": 1, "id": 2}}',
            b'{"data": [{"a": 1}, {"id": 1, "id": 2}], "id": 3}',
        ],
    )
    def test_d10_also_inside_where_they_say_who_somebody_is(self, body):
        assert read_object(body) is not None
        assert read_object(body, strict=True) is None

    def test_numbers_without_end_are_infinite(self):
        body = b'{"a": ' + b"9" * 10_000 + b', "b": NaN, "c": -' + b"9" * 300 + b"}"
        assert read_object(body) == {"a": math.inf, "b": None, "c": -math.inf}

    @pytest.mark.parametrize("digits", [1, 18, 19, 20, 254, 255])
    def test_a2_15_integers_as_long_as_a_subject_are_exact(self, digits):
        for text in ("9" * digits, "1" + "0" * (digits - 1)):
            found = read_object(b'{"sub": ' + text.encode() + b"}")["sub"]
            assert type(found) is int
            assert str(found) == text

    def test_100_000_digits_are_cheap(self):
        body = b'{"sub": [' + b",".join([b"9" * 100_000] * 20) + b"]}"
        begun = time.process_time()
        assert read_object(body) == {"sub": [math.inf] * 20}
        assert time.process_time() - begun < 0.5


class TestSubjects:
    """A number that is read wrong would be somebody else."""

    def uid(self, text):
        userinfo = read_object(b'{"sub": ' + text.encode() + b"}")
        return read_identity(userinfo, uid_path="sub", label_path="").uid

    @pytest.mark.parametrize("digits", [18, 19, 20, 255])
    def test_a2_15_long_numbers_are_different_people(self, digits):
        first, second = "9" * digits, "9" * (digits - 1) + "8"
        assert (self.uid(first), self.uid(second)) == (first, second)

    @pytest.mark.parametrize("text", ["9" * 256, "-" + "9" * 256, "9" * 5000, "1e400"])
    def test_a2_15_a_number_that_is_not_exact_is_nobody(self, text):
        with pytest.raises(AuthorizationError) as caught:
            self.uid(text)
        assert caught.value.code == "identity_missing"
