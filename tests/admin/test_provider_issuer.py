"""A new provider that starts from its issuer: filled in, shown, and saved by the form only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.core import signing
from django.http import HttpResponse

from oauth_accounts.admin import asking, starting
from oauth_accounts.models import AccountEvent, Provider
from oauth_accounts.testing.server import Answer, FakeProvider
from tests.admin.desk import Desk, form_data, secret_of, url

pytestmark = pytest.mark.usefixtures("transactional_db")
PAGE = "provider_issuer"


@pytest.fixture
def desk(staff: Callable[..., Desk]) -> Desk:
    return staff("add_provider")


def parsed(response: HttpResponse) -> BeautifulSoup:
    assert response.status_code == 200
    return BeautifulSoup(response.content, "html.parser")


def ask(desk: Desk, issuer: str) -> BeautifulSoup:
    return parsed(desk.post(PAGE, issuer=issuer))


def problems(page: BeautifulSoup) -> str:
    return " ".join(line.get_text() for line in page.select(".errorlist"))


class TestStart:
    def test_both_ways_are_offered(self, desk: Desk, server: FakeProvider) -> None:
        page = desk.page("provider_add")
        assert page.find("a", href=url(PAGE)).get_text() == "Start from an issuer"
        page = desk.page(PAGE)
        assert page.find("a", href=url("provider_add"), class_="closelink")
        assert page.find("input", attrs={"name": "issuer"})
        assert server.requests == []

    @pytest.mark.parametrize(
        ("issuer", "said"),
        [
            ("foo bar", "Enter an https URL without query"),
            ("https://login.example?x=1", "Enter an https URL without query"),
            ("https://10.0.0.1", "OAUTH_ACCOUNTS_PRIVATE_HOSTS"),
        ],
    )
    def test_what_cannot_be_asked_is_said_and_does_not_count(
        self, desk: Desk, issuer: str, said: str
    ) -> None:
        for _again in range(asking.MOST + 1):
            assert said in problems(ask(desk, issuer))
        assert not AccountEvent.objects.exists()

    def test_what_the_issuer_says_is_filled_in_and_not_saved(
        self, desk: Desk, server: FakeProvider
    ) -> None:
        document = {**server.metadata, "scopes_supported": ["openid", "notes:read"]}
        server.script(Answer(json=document), endpoint="metadata")
        server.token_endpoint_auth_method = "client_secret_post"
        page = ask(desk, server.issuer)
        data = form_data(page.find("form", id="provider_form"))
        for name in ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"):
            assert data[name] == document[name]
        assert data["code_challenge_methods_supported"] == "S256"
        assert "authorization_response_iss_parameter_supported" in data
        note = page.select_one(".oauth-accounts-note").get_text()
        assert "Nothing is saved yet" in note
        assert "notes:read" in note
        assert not Provider.objects.exists()
        event = AccountEvent.objects.get()
        assert (event.kind, event.reason) == ("provider_asked", "discovery")
        assert (event.actor, event.provider) == (desk.user, None)

    def test_the_form_saves_it(self, admin: Desk, server: FakeProvider) -> None:
        server.token_endpoint_auth_method = "client_secret_post"
        page = ask(admin, server.issuer)
        data = form_data(page.find("form", id="provider_form"))
        data |= {"name": "Forge", "slug": "forge", "new_client_secret": "s-1"}
        admin.post("provider_add", **data)
        provider = Provider.objects.get()
        assert provider.token_endpoint == server.token_endpoint
        assert provider.token_endpoint_auth_method == "client_secret_post"
        assert secret_of(provider) == "s-1"
        provider.require_pinned()


class TestRefused:
    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"issuer": "https://evil.example"}, "There is no metadata"),
            ({"token_endpoint": "https://evil.example\\@x/"}, "not one that may be"),
            ({"drop": True}, "No complete metadata came"),
            (
                {"token_endpoint_auth_methods_supported": ["private_key_jwt"]},
                "ways of client authentication is supported",
            ),
        ],
    )
    def test_d14_failures_are_few(
        self, desk: Desk, server: FakeProvider, changes: dict[str, Any], words: str
    ) -> None:
        drop = changes.get("drop", False)
        answer = Answer(json={**server.metadata, **changes}, drop=drop)
        server.script(*[answer] * 3, endpoint="metadata")
        page = ask(desk, server.issuer)
        assert words in problems(page)
        assert page.find("input", attrs={"name": "issuer"})["value"] == server.issuer

    def test_nothing_entered_asks_nobody(
        self, desk: Desk, server: FakeProvider
    ) -> None:
        assert "required" in problems(ask(desk, ""))
        assert not AccountEvent.objects.exists()

    def test_d14_it_is_no_scanner_of_ports(
        self, desk: Desk, server: FakeProvider, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr(asking, "MOST", 0)
        assert "ten times" in problems(ask(desk, server.issuer))
        assert server.requests == []

    @pytest.mark.parametrize("permission", ["change_provider", "view_provider"])
    def test_it_takes_the_permission_to_add(
        self, staff: Callable[..., Desk], server: FakeProvider, permission: str
    ) -> None:
        desk = staff(permission)
        assert desk.get(PAGE).status_code == 403
        assert desk.post(PAGE, issuer=server.issuer).status_code == 403
        assert server.requests == []


class TestFilledIn:
    def test_an_address_that_somebody_was_sent_fills_in_no_endpoint(
        self, desk: Desk
    ) -> None:
        evil = "https://evil.example/token"
        page = desk.page("provider_add", token_endpoint=evil, name="Forge")
        data = form_data(page.find("form", id="provider_form"))
        assert (data["token_endpoint"], data["name"]) == ("", "Forge")

    @pytest.mark.parametrize("how", ["forged", "old"])
    def test_only_what_was_just_said(
        self, desk: Desk, how: str, monkeypatch: Any
    ) -> None:
        values = {"token_endpoint": "https://evil.example/token"}
        made = signing.dumps({"values": values, "scopes": []}, salt=starting.SALT)
        if how == "old":
            monkeypatch.setattr(starting, "MAX_AGE", -1)
        offer = f"x{made}" if how == "forged" else made
        page = desk.page("provider_add", offer=offer)
        data = form_data(page.find("form", id="provider_form"))
        assert data["token_endpoint"] == ""
