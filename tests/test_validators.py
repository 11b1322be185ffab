"""What administrators are told of an address that would not be called."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from oauth_accounts.validators import validate_endpoint, validate_issuer


@pytest.fixture(autouse=True)
def deployed(settings: Any) -> None:
    settings.DEBUG = False


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("login.example/token", "a whole address"),
        ("ftp://login.example/token", "a whole address"),
        ("https://me:secret@login.example/token", "without a user name"),
        ("https://login.example/token#now", "without a fragment"),
        ("http://login.example/token", "with https"),
        ("https://login.example:8443/token", "OAUTH_ACCOUNTS_PRIVATE_HOSTS"),
        ("https://[2606:4700::1111]:8443/token", "OAUTH_ACCOUNTS_PRIVATE_HOSTS"),
        ("https://login .example/token", "no https URL has"),
        ("https://2130706433/token", "OAUTH_ACCOUNTS_PRIVATE_HOSTS"),
        ("https://10.0.0.1/token", "OAUTH_ACCOUNTS_PRIVATE_HOSTS"),
        ("https://login.example:99999/token", "no https URL has"),
        ("https://exämple.de/token", "punycode"),
    ],
)
def test_what_is_wrong_with_an_address(value: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said) as caught:
        validate_endpoint(value)
    assert caught.value.code == "url_refused"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "value", ["", "https://login.example", "https://a.example/t/1/"]
)
def test_issuers(value: str) -> None:
    validate_issuer(value)


@pytest.mark.parametrize(
    "value",
    [
        "foo bar",
        "login.example",
        "http://login.example",
        "https://",
        "https://login.example?tenant=1",
        "https://login.example/#x",
        "https://me@login.example",
        " https://login.example",
        "https://login.example\n",
    ],
)
def test_no_issuers(value: str) -> None:
    with pytest.raises(ValidationError) as caught:
        validate_issuer(value)
    assert caught.value.code == "issuer"


def test_an_issuer_on_loopback_while_developing(settings: Any) -> None:
    settings.DEBUG = True
    validate_issuer("http://127.0.0.1:8000")
