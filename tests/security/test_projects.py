"""Projects that are put together in another way: what this app asks for holds there too."""

from __future__ import annotations

from typing import Any

import pytest

from oauth_accounts.models import AuthorizationAttempt, ConnectedAccount
from tests.security.stage import Stage, changed
from tests.views.browser import (
    CSRF,
    connect_url,
    disconnect_url,
    list_url,
    reconnect_url,
)

LOGIN_REQUIRED = "django.contrib.auth.middleware.LoginRequiredMiddleware"


@pytest.fixture
def without_csrf_middleware(settings: Any) -> None:
    settings.MIDDLEWARE = [m for m in settings.MIDDLEWARE if "csrf" not in m]


@pytest.fixture
def login_required(settings: Any) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, LOGIN_REQUIRED]


@pytest.mark.usefixtures("without_csrf_middleware")
def test_a1_1_a6_1_b3_without_the_csrf_middleware(stage: Stage) -> None:
    account = stage.connect(stage.a)
    attempts = AuthorizationAttempt.objects.count()
    # As a page elsewhere sends it: with the cookies, and without the token.
    del stage.a.client.cookies["csrftoken"]
    for url in (connect_url("as1"), reconnect_url(account), disconnect_url(account)):
        assert stage.a.client.post(url).status_code == 403
    assert AuthorizationAttempt.objects.count() == attempts
    assert ConnectedAccount.objects.get().status == "active"
    page = stage.a.get(list_url())
    assert page.status_code == 200
    assert "csrftoken" in page.cookies
    assert stage.a.post(disconnect_url(account)).status_code == 302


@pytest.mark.usefixtures("login_required")
def test_a2_14_a2_18_with_a_log_in_required_everywhere(stage: Stage) -> None:
    path = stage.way_back(stage.a)
    # No redirect to the log-in page, whose address would have code and state in it.
    stage.reject(stage.x, path, reason="other_browser")
    stage.reject(stage.x, changed(path, state=None), reason="state_missing")
    response = stage.x.post(connect_url("as1"))
    assert response["Location"] == f"/admin/login/?next={list_url()}"
    assert stage.x.get(list_url())["Location"].startswith("/admin/login/")
    assert stage.connect(stage.a).status == "active"


def test_a2_2_a_proxy_that_django_was_not_told_of(stage: Stage, settings: Any) -> None:
    # The browser is on https, and requests arrive here as http.
    settings.OAUTH_ACCOUNTS_BASE_URL = "https://testserver"
    path = stage.way_back(stage.a)
    cookie = stage.a.client.cookies["__Host-oauth_accounts"]
    assert cookie["secure"]
    assert cookie["path"] == "/"
    assert not cookie["domain"]
    assert "oauth_accounts" not in stage.a.client.cookies
    stage.accept(stage.a, path)
    # One that a sibling domain wrote, which it can do without the prefix only.
    path = stage.way_back(stage.a)
    planted = stage.a.client.cookies.pop("__Host-oauth_accounts").value
    stage.a.client.cookies["oauth_accounts"] = planted
    stage.reject(stage.a, path, reason="other_browser")


def test_b3_the_token_in_the_header_will_do(stage: Stage) -> None:
    stage.a.client.cookies["csrftoken"] = CSRF
    response = stage.a.client.post(connect_url("as1"), headers={"x-csrftoken": CSRF})
    assert response.status_code == 302
