"""C3: what a request holds of secrets is gone before anything can quote it."""

from __future__ import annotations

import io
from typing import Any
from urllib.parse import urlencode

from django.core.handlers.asgi import ASGIRequest
from django.test import Client

from oauth_accounts.callback import take_parameters
from oauth_accounts.models import Provider
from tests.admin.desk import CSRF, Desk, form_data, secret_of, url
from tests.leaks.markers import Secrets

STATE, CODE = "state-of-an-attempt-0123456789", "code-of-a-provider-0123456789"
ENTERED = "secret-that-was-entered-4c1f9d"


def test_c3_under_asgi_the_query_leaves_the_scope_too() -> None:
    query = urlencode({"state": STATE, "code": CODE}).encode()
    scope = {"method": "GET", "path": "/", "headers": [], "query_string": query}
    request = ASGIRequest(scope, io.BytesIO())

    taken = take_parameters(request)

    assert taken.state is not None
    assert taken.state.get_value() == STATE
    assert taken.code is not None
    assert taken.code.get_value() == CODE
    said = f"{request!r} {request.scope} {request.META} {request.GET} {taken}"
    said += request.get_full_path()
    assert Secrets({STATE, CODE}).found_in(said=said) == []


def test_c3_an_entered_secret_is_stored_and_nowhere_in_the_request(
    desk: Desk, provider: Provider
) -> None:
    form = desk.page("provider_change", provider.pk).find("form", id="provider_form")
    data = {**form_data(form), "new_client_secret": ENTERED}
    desk.client.cookies["csrftoken"] = data["csrfmiddlewaretoken"] = CSRF
    address = url("provider_change", provider.pk)
    for options in (
        {"data": data},  # multipart
        {
            "data": urlencode(data),
            "content_type": "application/x-www-form-urlencoded",
        },
    ):
        Provider.objects.update(client_secret=None)
        response = desk.client.post(address, **options)
        assert response.status_code == 302
        assert secret_of(provider) == ENTERED
        request = response.wsgi_request
        said = f"{request.POST} {vars(request)} {vars(request).get('_body')}"
        assert Secrets({ENTERED}).found_in(said=said) == []


def test_c3_a_form_that_comes_back_shows_no_secret(
    desk: Desk, provider: Provider
) -> None:
    response: Any = desk.submit(
        "provider_change",
        provider.pk,
        name="",
        new_client_secret=ENTERED,
        new_private_key=ENTERED,
    )
    assert b"errornote" in response.content
    assert Secrets({ENTERED}).found_in(page=response.content) == []


def test_c3_a_view_by_get_leaves_the_request_alone(desk: Desk) -> None:
    assert Client().get(url("provider_add")).status_code == 302
    assert desk.get("provider_add").wsgi_request.POST == {}
