"""The button that tests a provider: what is found, what is told, and what is left alone."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.db import connection
from django.http import HttpResponse
from django.test import override_settings

from oauth_accounts import inspection
from oauth_accounts.admin import asking
from oauth_accounts.models import (
    AccountEvent,
    ConnectedAccount,
    Provider,
    RefreshStatistic,
)
from oauth_accounts.testing.server import Answer, FakeProvider
from tests.admin.desk import CSRF, Desk, url
from tests.rows import again, alter, store

pytestmark = pytest.mark.faces

PAGE = "provider_test"


@pytest.fixture
def desk(staff: Callable[..., Desk]) -> Desk:
    return staff("change_provider", "view_provider")


def parsed(response: HttpResponse) -> BeautifulSoup:
    assert response.status_code == 200
    return BeautifulSoup(response.content, "html.parser")


def report(response: HttpResponse) -> dict[str, tuple[str, str]]:
    """Return result and text by what was looked at."""
    found = {}
    for line in parsed(response).select(".oauth-accounts-report li"):
        words = {
            name: line.select_one(f".oauth-accounts-{name}").get_text().strip()
            for name in ("subject", "result", "text")
        }
        found[words["subject"]] = (words["result"], words["text"])
    return found


def found_for(desk: Desk, provider: Provider) -> dict[str, tuple[str, str]]:
    return report(desk.post(PAGE, provider.pk))


CLIENT = "Client ID and secret"
METADATA = "Metadata of the issuer"


class TestAsking:
    def test_looking_at_the_page_asks_nobody(
        self, desk: Desk, provider: Provider, server: FakeProvider
    ) -> None:
        page = desk.page("provider_change", provider.pk)
        link = page.find("a", href=url(PAGE, provider.pk))
        assert link.get_text() == "Test this provider"
        page = desk.page(PAGE, provider.pk)
        assert page.find("input", value="Test now")
        assert page.find("script", string=True) is None
        assert server.requests == []
        assert not AccountEvent.objects.exists()

    def test_all_is_right(
        self,
        desk: Desk,
        provider: Provider,
        account: ConnectedAccount,
        server: FakeProvider,
    ) -> None:
        before = Provider.objects.values().get()
        response = desk.post(PAGE, provider.pk)
        found = report(response)
        assert {result for result, _text in found.values()} == {"Good"}
        assert list(found) == [
            "Configuration",
            "Redirect URI",
            "Stored secret",
            "Authorization endpoint",
            "Revocation endpoint",
            "Userinfo endpoint",
            "API base URL",
            METADATA,
            "Keys of the provider",
            "Token endpoint",
            CLIENT,
        ]
        assert found["Keys of the provider"][1] == "1 key can be read."
        assert "All that can be told" in parsed(response).get_text()
        # What was done: one request each, and a token that does not exist.
        [asked] = server.token_requests
        assert asked.form["refresh_token"].startswith("made-up-for-a-test-")
        assert len(server.requests) <= 8
        assert server.replays == 0
        # What was not done.
        assert Provider.objects.values().get() == before
        assert again(account).generation == account.generation
        assert not RefreshStatistic.objects.exists()
        event = AccountEvent.objects.get()
        assert (event.kind, event.reason) == ("provider_asked", "test")
        assert (event.actor, event.provider) == (desk.user, provider)

    def test_a_wrong_secret_is_told_from_a_wrong_token(
        self,
        desk: Desk,
        provider: Provider,
        account: ConnectedAccount,
        server: FakeProvider,
    ) -> None:
        server.client_secret = "another-one-by-now"
        response = desk.post(PAGE, provider.pk)
        result, text = report(response)[CLIENT]
        assert (result, text.split(".")[0]) == ("Problem", "The service refused them")
        assert "1 problem has to be solved." in parsed(response).get_text()
        # A test is no refresh: nothing is paused, and no account has failed.
        assert not again(provider).pause_reason
        assert again(account).failure_count == 0

    def test_a_pause_is_shown_and_lasts(
        self, desk: Desk, provider: Provider, server: FakeProvider
    ) -> None:
        provider.pause(900, "invalid_client")
        response = desk.post(PAGE, provider.pk)
        assert "does not end the pause" in parsed(response).get_text()
        assert again(provider).is_paused()

    @pytest.mark.parametrize(
        ("answer", "result", "words"),
        [
            (Answer(status=429, json={}), "Look at this", "asks for fewer requests"),
            (Answer(status=503), "Look at this", "Connecting an account will tell"),
            (Answer(status=302), "Problem", "answered with a redirect"),
            (Answer(drop=True), "Problem", "No answer came"),
            (
                Answer(json={"access_token": "t", "token_type": "bearer"}),
                "Look at this",
                "accepted a refresh token that was made up",
            ),
            (
                Answer(status=400, json={"error": "unauthorized_client"}),
                "Problem",
                "does not let this client refresh",
            ),
        ],
    )
    def test_other_answers(
        self,
        desk: Desk,
        provider: Provider,
        server: FakeProvider,
        answer: Answer,
        result: str,
        words: str,
    ) -> None:
        server.script(answer, answer)
        found = found_for(desk, provider)
        assert found[CLIENT][0] == result
        assert words in found[CLIENT][1]
        assert not again(provider).pause_reason
        silent = "No answer" in words
        assert found["Token endpoint"][0] == ("Problem" if silent else "Good")

    def test_where_refreshing_is_not_known_a_code_says_the_same(
        self, desk: Desk, provider: Provider, server: FakeProvider
    ) -> None:
        server.script(Answer(status=400, json={"error": "unsupported_grant_type"}))
        assert found_for(desk, provider)[CLIENT][0] == "Good"
        grants = [one.form["grant_type"] for one in server.token_requests]
        assert grants == ["refresh_token", "authorization_code"]

    def test_nothing_of_an_answer_is_shown(
        self, desk: Desk, provider: Provider, server: FakeProvider
    ) -> None:
        said = {"error": "not-registered-7", "error_description": "<b>inside-7</b>"}
        server.script(*[Answer(status=400, json=said)] * 2)
        server.script(Answer(body="inside-7"), endpoint="userinfo")
        html = desk.post(PAGE, provider.pk).content.decode()
        assert "not-registered-7" not in html
        assert "inside-7" not in html
        assert server.client_secret not in html


class TestMetadataAndKeys:
    @pytest.mark.parametrize(
        ("changes", "result", "words"),
        [
            (
                {"token_endpoint": "{issuer}/v2", "jwks_uri": "{issuer}/k"},
                "Look at this",
                "token endpoint, JWKS URI.",
            ),
            (
                {"token_endpoint_auth_methods_supported": ["none"]},
                "Look at this",
                "way of client authentication",
            ),
            (
                {"code_challenge_methods_supported": ["plain"]},
                "Problem",
                "PKCE with S256",
            ),
            ({"issuer": "https://evil.example"}, "Look at this", "There is none"),
            (
                {"token_endpoint": "https://evil.example\\@x/"},
                "Look at this",
                "not one that may be called",
            ),
        ],
    )
    def test_metadata(
        self,
        desk: Desk,
        provider: Provider,
        server: FakeProvider,
        changes: dict[str, Any],
        result: str,
        words: str,
    ) -> None:
        document = dict(server.metadata)
        for name, value in changes.items():
            filled = value.format(issuer=server.issuer) if "{" in value else value
            document[name] = filled
        server.script(*[Answer(json=document)] * 3, endpoint="metadata")
        found = found_for(desk, provider)[METADATA]
        assert found[0] == result
        assert words in found[1]

    @pytest.mark.parametrize("openid", [False, True])
    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (Answer(json={"keys": []}), "none that could verify"),
            (Answer(body="no JSON"), "none that could verify"),
            (Answer(drop=True), "No answer came"),
        ],
    )
    def test_keys(
        self,
        desk: Desk,
        provider: Provider,
        server: FakeProvider,
        answer: Answer,
        words: str,
        openid: bool,
    ) -> None:
        if openid:
            provider.scopes = ["openid"]
            provider.save()
        server.script(answer, endpoint="jwks")
        found = found_for(desk, provider)["Keys of the provider"]
        assert found[0] == ("Problem" if openid else "Look at this")
        assert words in found[1]

    def test_what_is_not_entered_is_not_asked(
        self, desk: Desk, provider: Provider, server: FakeProvider
    ) -> None:
        provider.revocation_endpoint = provider.jwks_uri = provider.issuer = ""
        provider.save()
        provider.client_secret = server.client_secret
        provider.save()
        found = found_for(desk, provider)
        skipped = {name for name, line in found.items() if line[0] == "Not tested"}
        assert skipped == {"Revocation endpoint", "Keys of the provider", METADATA}


class TestTrouble:
    def test_an_endpoint_that_is_silent(
        self, desk: Desk, provider: Provider, server: FakeProvider
    ) -> None:
        server.script(Answer(drop=True), endpoint="userinfo")
        found = found_for(desk, provider)
        assert found["Userinfo endpoint"][0] == "Problem"
        assert found["Revocation endpoint"][0] == "Good"

    def test_a_provider_that_hangs_takes_a_bounded_time(
        self,
        desk: Desk,
        provider: Provider,
        server: FakeProvider,
        monkeypatch: Any,
    ) -> None:
        assert inspection.SECONDS < 20
        monkeypatch.setattr(inspection, "SECONDS", 0.5)
        server.script(Answer(delay=5), endpoint="userinfo")
        server.script(Answer(delay=5))
        started = monotonic()
        found = found_for(desk, provider)
        assert monotonic() - started < 4
        assert "No answer came" in found["Userinfo endpoint"][1]
        assert found["Token endpoint"][0] == found[CLIENT][0] == "Problem"
        assert found["Revocation endpoint"][0] == "Good"

    @override_settings(DEBUG=False)
    def test_d3_what_may_not_be_called_is_not(
        self, desk: Desk, provider: Provider, server: FakeProvider
    ) -> None:
        found = found_for(desk, provider)
        assert server.requests == []
        for name in ("Userinfo endpoint", "Token endpoint", CLIENT):
            assert found[name][0] == "Problem"
            assert "not one that may be called" in found[name][1]

    def test_a5_5_addresses_in_doubt_are_not_called(
        self, desk: Desk, provider: Provider, server: FakeProvider
    ) -> None:
        alter(provider, revocation_endpoint=f"{server.issuer}/revoke/elsewhere")
        found = found_for(desk, provider)
        assert found["Addresses"][0] == "Problem"
        assert CLIENT not in found
        assert server.requests == []

    def test_a_secret_that_does_not_open(
        self, desk: Desk, provider: Provider, server: FakeProvider
    ) -> None:
        store(provider, "client_secret", b"rubbish")
        found = found_for(desk, provider)
        assert found["Stored secret"][0] == "Problem"
        assert "does not open" in found["Stored secret"][1]
        assert found[CLIENT][0] == "Not tested"
        assert found["Token endpoint"][0] == "Good"
        assert server.token_requests[0].method == "HEAD"

    @override_settings(FERNET_KEYS=[])
    def test_without_keys_nothing_is_known_of_the_addresses(
        self, desk: Desk, provider: Provider, server: FakeProvider
    ) -> None:
        assert found_for(desk, provider)["Addresses"][0] == "Problem"
        assert server.requests == []

    @override_settings(OAUTH_ACCOUNTS_BASE_URL=None)
    def test_what_is_missing_is_named(
        self, desk: Desk, provider: Provider, server: FakeProvider
    ) -> None:
        provider.client_id = ""
        provider.save()
        found = found_for(desk, provider)
        assert found["Configuration"] == (
            "Problem",
            "Enter what is missing: client ID.",
        )
        assert found["Redirect URI"] == ("Problem", "Set OAUTH_ACCOUNTS_BASE_URL.")
        assert found[CLIENT][0] == "Not tested"

    def test_a_disabled_one_can_be_tested_before_it_is_enabled(
        self, desk: Desk, provider: Provider
    ) -> None:
        provider.enabled = False
        provider.save()
        response = desk.post(PAGE, provider.pk)
        assert report(response)["Configuration"][0] == "Look at this"
        assert "1 line is worth a look" in parsed(response).get_text()

    def test_a_client_whose_secret_is_missing_is_not_called_public(
        self, desk: Desk, provider: Provider
    ) -> None:
        provider.client_secret = None
        provider.save()
        found = found_for(desk, provider)
        assert found["Stored secret"] == ("Not tested", "Nothing is entered.")
        assert "client secret" in found["Configuration"][1]

    def test_a_public_client_has_no_secret(
        self, desk: Desk, provider: Provider, server: FakeProvider
    ) -> None:
        server.token_endpoint_auth_method = "none"
        provider.token_endpoint_auth_method, provider.client_secret = "none", None
        provider.save()
        found = found_for(desk, provider)
        assert found["Stored secret"][0] == "Not tested"
        assert found[CLIENT][0] == "Good"


class TestWho:
    def test_a_provider_of_the_settings_too(
        self, desk: Desk, provider: Provider, server: FakeProvider
    ) -> None:
        alter(provider, source="settings")
        page = desk.page("provider_change", provider.pk)
        assert page.find("a", href=url(PAGE, provider.pk))
        assert found_for(desk, provider)[CLIENT][0] == "Good"

    def test_b1_a_form_of_another_site_is_refused(
        self, desk: Desk, provider: Provider, server: FakeProvider
    ) -> None:
        desk.client.cookies["csrftoken"] = CSRF
        assert desk.client.post(url(PAGE, provider.pk)).status_code == 403
        assert server.requests == []

    @pytest.mark.parametrize("permission", ["view_provider", "add_provider"])
    def test_it_takes_the_permission_to_change(
        self,
        staff: Callable[..., Desk],
        provider: Provider,
        server: FakeProvider,
        permission: str,
    ) -> None:
        desk = staff(permission)
        assert desk.post(PAGE, provider.pk).status_code == 403
        assert server.requests == []

    def test_a_provider_that_is_not_there(self, desk: Desk, provider: Provider) -> None:
        assert desk.get(PAGE, "nonsense").status_code == 404

    def test_d14_it_is_no_scanner_of_ports(
        self,
        desk: Desk,
        provider: Provider,
        server: FakeProvider,
        monkeypatch: Any,
    ) -> None:
        monkeypatch.setattr(asking, "MOST", 2)
        for _time in range(2):
            assert report(desk.post(PAGE, provider.pk))
        asked = len(server.requests)
        response = desk.post(PAGE, provider.pk)
        assert report(response) == {}
        assert "ten times" in parsed(response).find(class_="errornote").get_text()
        assert len(server.requests) == asked
        AccountEvent.objects.update(created_at=asking.clock.utcnow() - asking.WINDOW)
        assert report(desk.post(PAGE, provider.pk))

    def test_no_test_waits_for_another(
        self, desk: Desk, provider: Provider, settings: Any, monkeypatch: Any
    ) -> None:
        settings.OAUTH_ACCOUNTS_CALLS_PER_PROVIDER = 1
        inside: list[Any] = []

        def inspect_again(*args: Any, **kwargs: Any) -> list[Any]:
            monkeypatch.setattr(inspection, "inspect", lambda *a, **k: [])
            inside.append(_in_a_thread(lambda: desk.post(PAGE, provider.pk)))
            return []

        monkeypatch.setattr(inspection, "inspect", inspect_again)
        desk.post(PAGE, provider.pk)
        assert "Too many callers" in parsed(inside[0]).get_text()


def _in_a_thread(work: Callable[[], Any]) -> Any:
    def run() -> Any:
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()
