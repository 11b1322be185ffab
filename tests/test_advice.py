"""What people are told: something for each state and each end, and nothing glued."""

from __future__ import annotations

import pytest

from oauth_accounts import advice, callback, reasons

RECONNECTABLE = {"invalid_grant", "refresh_token_expired", "rotation_lost", "expired"}


@pytest.mark.parametrize("code", reasons.ACCOUNT)
def test_every_reason_has_words_for_the_owner(code):
    assert advice.describe(code, "Tracker")


@pytest.mark.parametrize("code", sorted(RECONNECTABLE))
def test_who_can_help_themselves_is_told_how(code):
    assert "Reconnect it" in advice.describe(code, "Tracker")


def test_a_state_without_a_reason_needs_no_words():
    assert advice.describe("", "Tracker") == ""


def test_a_providers_name_is_no_format():
    assert "100 %(x)s" in advice.describe("invalid_grant", "100 %(x)s")


@pytest.mark.parametrize("status", ["pending", "confirmed", "unsupported", "failed"])
def test_every_end_at_the_provider_has_words(status):
    assert advice.describe_ending(status, "Tracker").startswith("Tracker ")


def test_an_end_that_was_overtaken_has_none():
    assert advice.describe_ending("superseded", "Tracker") == ""


@pytest.mark.parametrize("code", sorted({*reasons.AUTHORIZATION, *callback.DENIALS}))
def test_every_code_with_words_has_a_next_step(code):
    assert code in advice.NEXT


@pytest.mark.parametrize(
    ("code", "recovery", "name"),
    [
        ("access_denied", "reauth", "denied"),
        ("account_in_use", "none", "another"),
        ("id_token_nonce", "reauth", "again"),
        ("unreachable", "retry", "later"),
        ("base_url_missing", "configure", "administrator"),
        ("brand_new", "none", "administrator"),
    ],
)
def test_what_helps(code, recovery, name):
    assert advice.next_step(code, recovery).name == name
