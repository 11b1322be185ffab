"""A5.3: metadata is asked for by an administrator's hand, and changes nothing by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.contrib.admin.models import LogEntry
from django.core import signing
from django.http import HttpResponse
from django.test import override_settings

from oauth_accounts.admin import comparison
from oauth_accounts.models import AccountEvent, ConnectedAccount, Provider
from oauth_accounts.testing.server import Answer, FakeProvider
from tests.admin.desk import Desk, form_data, messages, secret_of
from tests.rows import again, alter

pytestmark = pytest.mark.faces

PAGE = "provider_compare"


@pytest.fixture
def desk(staff: Callable[..., Desk]) -> Desk:
    return staff("change_provider", "view_provider")


def offer(server: FakeProvider, **changes: Any) -> None:
    """Let the server's metadata say something else. None leaves a member out."""
    document = {**server.metadata, **changes}
    kept = {name: value for name, value in document.items() if value is not None}
    server.script(Answer(json=kept), endpoint="metadata")


def parsed(response: HttpResponse) -> BeautifulSoup:
    assert response.status_code == 200
    return BeautifulSoup(response.content, "html.parser")


def rows(page: BeautifulSoup) -> dict[str, list[str]]:
    """Return what is stored and what is offered, by field."""
    found = [row.find_all("td") for row in page.select("#content tbody tr")]
    return {
        cells[0].find("input")["value"]: [cell.get_text() for cell in cells[2:]]
        for cells in found
    }


def asked(server: FakeProvider) -> int:
    return len([r for r in server.requests if ".well-known" in r.path])


class Comparing:
    """An administrator who compares and then sends the form of the page."""

    def __init__(self, desk: Desk, provider: Provider) -> None:
        self.desk, self.provider = desk, provider

    def ask(self) -> BeautifulSoup:
        return parsed(self.desk.post(PAGE, self.provider.pk))

    def take(self, page: BeautifulSoup, *names: str, **entered: str) -> HttpResponse:
        data = form_data(page.find("div", id="content").find("form"))
        data = {**data, "take": list(names), **entered}
        return self.desk.post(PAGE, self.provider.pk, **data)


@pytest.fixture
def comparing(desk: Desk, provider: Provider) -> Comparing:
    return Comparing(desk, provider)


class TestAsking:
    def test_a5_3_looking_at_the_page_asks_nobody(
        self, desk: Desk, provider: Provider, server: FakeProvider
    ) -> None:
        page = desk.page("provider_change", provider.pk)
        link = page.find("a", string=str(comparison.TITLE))
        assert desk.client.get(link["href"]).status_code == 200
        assert server.requests == []

    def test_a5_3_what_differs_is_shown_and_nothing_is_saved(
        self, comparing: Comparing, provider: Provider, server: FakeProvider
    ) -> None:
        moved = f"{server.issuer}/token/v2"
        offer(server, token_endpoint=moved)
        found = rows(comparing.ask())
        assert found["token_endpoint"] == [server.token_endpoint, moved]
        assert again(provider).token_endpoint == server.token_endpoint
        assert asked(server) == 1
        assert not AccountEvent.objects.exists()

    def test_what_the_provider_does_not_say_is_no_difference(
        self, comparing: Comparing, server: FakeProvider
    ) -> None:
        offer(server, revocation_endpoint=None, code_challenge_methods_supported=None)
        assert "revocation_endpoint" not in rows(comparing.ask())

    def test_no_difference_in_words(
        self, comparing: Comparing, provider: Provider, server: FakeProvider
    ) -> None:
        page = comparing.ask()
        comparing.take(page, *rows(page), new_client_secret=server.client_secret)
        assert "is what the provider says" in comparing.ask().get_text()

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"issuer": "https://evil.example"}, "There is no metadata"),
            ({"token_endpoint": "https://evil.example\\@x/"}, "not one that may be"),
            ({"drop": True}, "No complete metadata came"),
        ],
    )
    def test_a5_1_d14_failures_are_three(
        self,
        comparing: Comparing,
        provider: Provider,
        server: FakeProvider,
        change: dict[str, Any],
        words: str,
    ) -> None:
        if "drop" in change:
            server.script(*[Answer(drop=True)] * 3, endpoint="metadata")
        else:
            for _place in range(3):
                offer(server, **change)
        before = Provider.objects.values().get()
        page = comparing.ask()
        assert words in page.find(class_="errornote").get_text()
        assert page.find(id="content").find("table") is None
        assert Provider.objects.values().get() == before

    @pytest.mark.parametrize("name", ["issuer", "revocation_endpoint"])
    def test_an_issuer_in_doubt_is_not_asked(
        self, desk: Desk, provider: Provider, server: FakeProvider, name: str
    ) -> None:
        alter(provider, **{name: "https://evil.example"})
        assert desk.post(PAGE, provider.pk).status_code == 404
        assert "Compare" not in desk.page("provider_change", provider.pk).get_text()

    def test_without_an_issuer_there_is_nobody_to_ask(
        self, desk: Desk, provider: Provider
    ) -> None:
        provider.issuer = ""
        provider.save()
        assert desk.get(PAGE, provider.pk).status_code == 404
        assert desk.get(PAGE, "nonsense").status_code == 404


class TestTakingOver:
    def test_a5_3_what_was_chosen_by_the_rules_of_the_form(
        self, comparing: Comparing, provider: Provider, server: FakeProvider
    ) -> None:
        moved = f"{server.issuer}/token/v2"
        offer(server, token_endpoint=moved, userinfo_endpoint=f"{moved}/me")
        page = comparing.ask()
        response = comparing.take(
            page, "token_endpoint", new_client_secret=server.client_secret
        )
        assert messages(response) == ["Fake provider was changed."]
        row = again(provider)
        assert row.token_endpoint == moved
        assert row.userinfo_endpoint == server.userinfo_endpoint
        row.require_pinned()
        assert secret_of(provider) == server.client_secret
        event = AccountEvent.objects.get(reason="endpoints_changed")
        assert event.actor == comparing.desk.user
        assert "Token endpoint" in LogEntry.objects.get().get_change_message()

    def test_everything_else_stays_as_it_was(
        self, comparing: Comparing, provider: Provider, server: FakeProvider
    ) -> None:
        provider.authorization_params = {"prompt": "consent"}
        provider.scopes, provider.refresh_margin = ["a", "b"], 77
        provider.save()
        before = Provider.objects.values().get()
        offer(server, jwks_uri=f"{server.issuer}/keys/v2")
        comparing.take(
            comparing.ask(), "jwks_uri", new_client_secret=server.client_secret
        )
        after = Provider.objects.values().get()
        changed = {name for name in before if before[name] != after[name]}
        assert changed == {
            "jwks_uri",
            "client_secret",
            "pinned_addresses",
            "updated_at",
        }

    @pytest.mark.parametrize("secret", ["", "guessed"])
    def test_a5_4_b25_without_the_stored_secret(
        self,
        comparing: Comparing,
        provider: Provider,
        account: ConnectedAccount,
        server: FakeProvider,
        secret: str,
    ) -> None:
        with FakeProvider() as elsewhere:
            offer(server, token_endpoint=elsewhere.token_endpoint)
            page = comparing.ask()
            response = comparing.take(page, "token_endpoint", new_client_secret=secret)
            page = parsed(response)
            assert page.find(class_="errornote")
            assert page.find("input", value="token_endpoint").has_attr("checked")
            assert again(provider).token_endpoint == server.token_endpoint
            assert b"guessed" not in response.content
            # The page can be sent again, with the right one: then it asks once more.
            entered = {"new_client_secret": server.client_secret}
            page = parsed(comparing.take(page, "token_endpoint", **entered))
            assert "Saving stops 1 active account" in page.get_text()
            assert again(provider).token_endpoint == server.token_endpoint
            assert server.client_secret not in str(page)
            response = comparing.take(
                page, "token_endpoint", **entered, confirm_move="on"
            )
            assert any("1 account was stopped" in m for m in messages(response))
            assert again(account).status_reason == "provider_changed"
            assert elsewhere.requests == []

    def test_a_list_and_a_flag(
        self, comparing: Comparing, provider: Provider, server: FakeProvider
    ) -> None:
        provider.code_challenge_methods_supported = None
        provider.save()
        name = "authorization_response_iss_parameter_supported"
        flag = not getattr(provider, name)
        offer(
            server,
            code_challenge_methods_supported=["S256", "plain"],
            **{name: flag},
        )
        page = comparing.ask()
        assert rows(page)["code_challenge_methods_supported"] == ["–", "S256 plain"]
        assert sorted(rows(page)[name]) == ["no", "yes"]
        comparing.take(page, "code_challenge_methods_supported", name)
        row = again(provider)
        assert row.code_challenge_methods_supported == ["S256", "plain"]
        assert getattr(row, name) is flag

    @pytest.mark.parametrize("how", ["forged", "old", "another provider's"])
    def test_only_what_was_just_offered(
        self,
        desk: Desk,
        provider: Provider,
        server: FakeProvider,
        how: str,
        monkeypatch: Any,
    ) -> None:
        values = {"token_endpoint": "https://evil.example/token"}
        whose = "another" if how == "another provider's" else str(provider.pk)
        made = signing.dumps(
            {"provider": whose, "values": values}, salt=comparison.SALT
        )
        if how == "old":
            monkeypatch.setattr(comparison, "MAX_AGE", -1)
        response = desk.post(
            PAGE,
            provider.pk,
            offer=f"x{made}" if how == "forged" else made,
            take="token_endpoint",
            new_client_secret=server.client_secret,
        )
        assert "Ask the provider again" in messages(response)[0]
        assert again(provider).token_endpoint == server.token_endpoint

    def test_what_was_not_offered_is_not_taken(
        self, comparing: Comparing, provider: Provider, server: FakeProvider
    ) -> None:
        offer(server, jwks_uri=f"{server.issuer}/keys/v2")
        comparing.take(comparing.ask(), "api_base_url", api_base_url="https://evil.x/")
        assert again(provider).api_base_url == provider.api_base_url

    def test_what_is_shown_is_escaped(
        self, comparing: Comparing, server: FakeProvider
    ) -> None:
        address = f"{server.issuer}/<img/src=x>"
        offer(server, token_endpoint=address)
        page = comparing.ask()
        assert page.find("img") is None


class TestWho:
    @pytest.mark.parametrize(
        "permission", ["view_provider", "add_provider", "delete_provider"]
    )
    def test_only_those_who_may_change_it(
        self,
        staff: Callable[..., Desk],
        provider: Provider,
        server: FakeProvider,
        permission: str,
    ) -> None:
        desk = staff(permission)
        assert desk.get(PAGE, provider.pk).status_code == 403
        assert desk.post(PAGE, provider.pk).status_code == 403
        assert server.requests == []

    def test_none_of_the_settings(
        self, desk: Desk, provider: Provider, server: FakeProvider
    ) -> None:
        alter(provider, source="settings")
        assert desk.post(PAGE, provider.pk).status_code == 403
        assert "Compare" not in desk.page("provider_change", provider.pk).get_text()

    def test_b1_a_form_of_another_site_is_refused(
        self, desk: Desk, provider: Provider, server: FakeProvider
    ) -> None:
        address = f"/admin/oauth_accounts/provider/{provider.pk}/compare/"
        assert desk.client.post(address).status_code == 403
        assert server.requests == []


@override_settings(DEBUG=False)
def test_d3_d14_what_may_not_be_called_is_not(
    desk: Desk, provider: Provider, server: FakeProvider
) -> None:
    page = parsed(desk.post(PAGE, provider.pk))
    assert "not one that may be" in page.find(class_="errornote").get_text()
    assert server.requests == []
