"""connection_required and connect_url."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.template import Context, Template
from django.test import RequestFactory, override_settings

from oauth_accounts.decorators import connection_required
from oauth_accounts.models import ConnectedAccount, Provider
from oauth_accounts.testing.factories import ConnectedAccountFactory
from tests.views.browser import Browser, connect_url, list_url
from tests.views.test_connect import owner_of_nobody


@connection_required("fake", scopes=["read"])
def report(request: HttpRequest, number: int = 0) -> HttpResponse:
    """Show the account."""
    return HttpResponse(f"{request.connected_account} {number}")


def request_of(
    user: Any, method: str = "get", path: str = "/report/?a=1"
) -> HttpRequest:
    request = getattr(RequestFactory(), method)(path)
    request.user = user
    return request


def assert_asks(response: HttpResponse, next_path: str | None) -> None:
    assert response.status_code == 302
    parts = urlsplit(response["Location"])
    assert parts.path == list_url()
    query = parse_qs(parts.query)
    assert query.pop("connect") == ["fake"]
    assert query == ({} if next_path is None else {"next": [next_path]})


def test_the_view_gets_the_account(provider: Provider, user: Any) -> None:
    ConnectedAccountFactory(provider=provider, owner=user, uid="old", label="old")
    ConnectedAccountFactory(provider=provider, owner=user, uid="new", label="new")
    response = report(request_of(user), number=7)
    assert response.content == b"new 7"
    assert report.__doc__ == "Show the account."


def test_who_is_not_logged_in_logs_in_first() -> None:
    response = report(request_of(AnonymousUser()))
    assert response["Location"] == "/admin/login/?next=/report/%3Fa%3D1"


def test_without_an_account_it_is_asked_for(provider: Provider, user: Any) -> None:
    assert_asks(report(request_of(user)), "/report/?a=1")


def test_a_post_is_not_returned_to(provider: Provider, user: Any) -> None:
    assert_asks(report(request_of(user, "post")), None)


@pytest.mark.parametrize(
    "values",
    [
        {"status": "needs_reauth", "refresh_due_at": None},
        {"status": "revoked", "refresh_due_at": None},
        {"scopes": ["write"]},
        {"owner": None},
    ],
)
def test_an_account_that_is_not_enough(
    provider: Provider, user: Any, values: dict[str, Any]
) -> None:
    ConnectedAccountFactory(provider=provider, owner=user)
    ConnectedAccount.objects.update(**values)
    assert_asks(report(request_of(user)), "/report/?a=1")


def test_b13_nobody_elses_account_will_do(
    provider: Provider, user: Any, other_user: Any
) -> None:
    ConnectedAccountFactory(provider=provider, owner=other_user)
    assert_asks(report(request_of(user)), "/report/?a=1")


@override_settings(OAUTH_ACCOUNTS_GET_OWNER=owner_of_nobody)
def test_no_owner_is_not_the_application(provider: Provider, user: Any) -> None:
    ConnectedAccountFactory(provider=provider, owner=None)
    assert_asks(report(request_of(user)), "/report/?a=1")


def test_unknown_scopes_are_not_asked_for_again(provider: Provider, user: Any) -> None:
    ConnectedAccountFactory(provider=provider, owner=user, scopes=None)
    assert report(request_of(user)).status_code == 200


def test_the_administrator_hears_of_what_can_never_be_granted(
    provider: Provider, user: Any, caplog: Any
) -> None:
    Provider.objects.update(scopes=["write"])
    assert_asks(report(request_of(user)), "/report/?a=1")
    assert "not set to ask for: read" in caplog.text


def test_the_administrator_hears_of_a_missing_provider(user: Any, caplog: Any) -> None:
    assert_asks(report(request_of(user)), "/report/?a=1")
    assert "does not exist: fake" in caplog.text


def test_consent_leads_back(browser: Browser, provider: Provider, user: Any) -> None:
    asked = report(request_of(user))["Location"]
    next_path = parse_qs(urlsplit(asked).query)["next"][0]
    response = browser.get(browser.consent(browser.start(next=next_path)))
    assert response["Location"] == "/report/?a=1"
    assert report(request_of(user)).status_code == 200


def test_connect_url_is_the_address_of_the_form() -> None:
    source = '{% load oauth_accounts %}{% connect_url "fake" %}'
    assert Template(source).render(Context()) == connect_url()
