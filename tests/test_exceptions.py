from __future__ import annotations

import inspect
import re

import pytest

from oauth_accounts import exceptions
from oauth_accounts.exceptions import OAuthAccountsError, clean_provider_code

ALL = [
    one
    for _name, one in inspect.getmembers(exceptions, inspect.isclass)
    if issubclass(one, OAuthAccountsError)
]


@pytest.mark.parametrize("error", ALL)
def test_every_error_says_what_helps(error):
    made = error()

    assert made.recovery in {"retry", "reauth", "configure", "none"}
    assert re.fullmatch(r"[a-z_]+", made.code)
    assert made.retry_after is None
    assert made.provider_code is None
    assert str(made) == f"{error.message} [{made.code}]"


@pytest.mark.parametrize("error", ALL)
def test_the_tree_in_the_docstring_is_the_tree(error):
    assert error.__name__ in exceptions.__doc__


def test_codes_are_not_shared():
    assert len({error.code for error in ALL}) == len(ALL)


def test_what_is_known_travels_with_the_error():
    error = exceptions.ProviderUnavailable(
        "rate_limited", retry_after=12.5, provider_code="slow_down"
    )

    assert (error.code, error.retry_after, error.provider_code) == (
        "rate_limited",
        12.5,
        "slow_down",
    )
    assert exceptions.ProviderUnavailable.code == "unavailable"
    assert error.args == ("rate_limited",)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (None, None),
        ("invalid_grant", "invalid_grant"),
        ("urn:example:code-1.2", "urn:example:code-1.2"),
        ("x" * 64, "x" * 64),
        ("x" * 65, "unknown"),
        ("", "unknown"),
        ("two words", "unknown"),
        ("line\nbreak", "unknown"),
        ("invalid_grant\n", "unknown"),
        ("<script>", "unknown"),
        ("é", "unknown"),
        (7, "unknown"),
        (["invalid_grant"], "unknown"),
    ],
)
def test_a_providers_code_is_kept_when_it_is_harmless(sent, kept):
    assert clean_provider_code(sent) == kept
    assert OAuthAccountsError(provider_code=sent).provider_code == kept
