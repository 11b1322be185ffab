"""The page of connected accounts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from oauth_accounts.models import ConnectedAccount, Provider
from oauth_accounts.testing.factories import ConnectedAccountFactory, ProviderFactory
from tests.views.browser import (
    ACCESS,
    REFRESH,
    Browser,
    actions,
    assert_protected,
    connect_url,
    disconnect_url,
    list_url,
    page_of,
    reconnect_url,
)


class TestList:
    def test_login_is_needed(self, stranger: Browser) -> None:
        response = stranger.get(list_url(), connect="fake")
        assert response.status_code == 302
        assert (
            response["Location"] == f"/admin/login/?next={list_url()}%3Fconnect%3Dfake"
        )

    def test_nothing_there_yet(self, browser: Browser) -> None:
        text = page_of(browser).get_text()
        assert "You have not connected any account yet." in text
        assert "An administrator can add one." in text

    def test_headers(self, browser: Browser, account: ConnectedAccount) -> None:
        response = browser.get(list_url())
        assert_protected(response, referrer="same-origin")
        assert "default-src 'none'" in response["Content-Security-Policy"]

    def test_a_card_tells_all_but_the_tokens(
        self, browser: Browser, account: ConnectedAccount
    ) -> None:
        response = browser.get(list_url())
        page = BeautifulSoup(response.content, "html.parser")
        card = page.find("article").get_text(" ", strip=True)
        for word in ("Fake provider", "alice@provider.example", "Connected", "read"):
            assert word in card
        assert ACCESS not in response.content.decode()
        assert REFRESH not in response.content.decode()
        assert actions(page) == {connect_url(), disconnect_url(account)}

    def test_b13_others_and_the_applications_accounts_are_not_shown(
        self, browser: Browser, provider: Provider, other_user: Any
    ) -> None:
        ConnectedAccountFactory(provider=provider, owner=other_user)
        ConnectedAccountFactory(provider=provider, owner=None)
        assert page_of(browser).find("article") is None

    def test_a4_8_names_are_escaped(
        self, browser: Browser, provider: Provider, user: Any
    ) -> None:
        ConnectedAccountFactory(
            provider=provider, owner=user, label="<img src=x onerror=alert(1)>"
        )
        assert page_of(browser).find("img") is None

    @pytest.mark.parametrize(
        ("values", "status", "words", "reconnect"),
        [
            (
                {"status": "needs_reauth", "status_reason": "invalid_grant"},
                "Needs your attention",
                "no longer accepts the permission it gave. Reconnect it",
                True,
            ),
            (
                {"status": "disabled", "status_reason": "by_admin"},
                "Stopped",
                "An administrator has stopped it.",
                False,
            ),
            (
                {"status": "disabled", "status_reason": "provider_changed"},
                "Needs your attention",
                "set up anew",
                True,
            ),
            ({"status_reason": "retrying"}, "Connected", "will be tried again", False),
            (
                {"scopes": None, "requested_scopes": []},
                "Connected",
                "Not stated by the service",
                False,
            ),
            (
                {"scopes": None, "requested_scopes": ["read"]},
                "Connected",
                "Permissions read",
                False,
            ),
            ({"scopes": []}, "Connected", "Permissions None", True),
            ({"last_refreshed_at": None}, "Connected", "Access never renewed", False),
        ],
    )
    def test_state_and_reason_in_words(
        self,
        browser: Browser,
        account: ConnectedAccount,
        values: dict[str, Any],
        status: str,
        words: str,
        reconnect: bool,
    ) -> None:
        due = {} if "status" not in values else {"refresh_due_at": None}
        ConnectedAccount.objects.update(**values, **due)
        page = page_of(browser)
        assert page.find(class_="oa-status").get_text() == status
        assert words in " ".join(page.find("article").get_text(" ").split())
        assert (reconnect_url(account) in actions(page)) == reconnect

    def test_a_provider_that_is_switched_off(
        self, browser: Browser, account: ConnectedAccount
    ) -> None:
        Provider.objects.update(enabled=False)
        page = page_of(browser)
        assert page.find(class_="oa-status").get_text() == "Service switched off"
        assert actions(page) == {disconnect_url(account)}

    def test_an_incomplete_provider_is_not_offered(
        self, browser: Browser, provider: Provider
    ) -> None:
        Provider.objects.update(userinfo_endpoint="")
        assert actions(page_of(browser)) == set()

    def test_the_number_of_queries_does_not_grow(
        self, browser: Browser, account: ConnectedAccount, user: Any
    ) -> None:
        counts = []
        for _round in range(2):
            with CaptureQueriesContext(
                connection,
            ) as queries:
                page_of(browser)
            counts.append(len(queries))
            for number in range(5):
                more = ConnectedAccountFactory(owner=user)
                if number % 2:
                    more.revoke()
        assert counts[0] == counts[1]

    def test_the_page_speaks_the_projects_template(
        self, browser: Browser, account: ConnectedAccount, settings: Any, tmp_path: Path
    ) -> None:
        (tmp_path / "base.html").write_text(
            "<title>{% block title %}{% endblock %} - ours</title>"
            "<nav>ours</nav>{% block content %}{% endblock %}"
        )
        settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [str(tmp_path)]}]
        response = browser.get(list_url())
        page = BeautifulSoup(response.content, "html.parser")
        assert page.title.get_text(strip=True) == "Connected accounts - ours"
        assert page.nav is not None
        assert page.find("link", rel="stylesheet") is not None
        assert page.find("article") is not None
        # The project's own policy holds there: its base may need scripts and fonts.
        assert "Content-Security-Policy" not in response
        assert_protected(response, referrer="same-origin")


class TestWanted:
    def test_the_connection_is_asked_for_first(
        self, browser: Browser, provider: Provider
    ) -> None:
        page = page_of(browser, connect="fake", next="/report/")
        section = page.find(class_="oa-wanted")
        assert "Connect Fake provider to continue" in section.get_text()
        assert section.find("input", attrs={"name": "next"})["value"] == "/report/"

    def test_without_next_it_is_another_try(
        self, browser: Browser, provider: Provider
    ) -> None:
        section = page_of(browser, connect="fake").find(class_="oa-wanted")
        assert section.h2.get_text() == "Connect Fake provider"
        assert section.find("input", attrs={"name": "next"}) is None

    def test_a1_10_an_unsafe_next_does_not_reach_the_form(
        self, browser: Browser, provider: Provider
    ) -> None:
        page = page_of(browser, connect="fake", next="//evil.example")
        assert page.find("input", attrs={"name": "next"}) is None

    def test_a_service_that_is_not_there(self, browser: Browser) -> None:
        page = page_of(browser, connect="<b>nowhere")
        assert "ask an administrator" in page.find(class_="oa-wanted").get_text()
        assert page.find("b") is None


def test_providers_are_listed_by_name(browser: Browser, provider: Provider) -> None:
    ProviderFactory(slug="aaa", name="Aardvark")
    buttons = page_of(browser).find(class_="oa-providers").find_all("button")
    assert [b.find_all("span")[-1].get_text() for b in buttons] == [
        "Connect Aardvark",
        "Connect Fake provider",
    ]


@override_settings(LANGUAGE_CODE="ar")
def test_right_to_left(browser: Browser) -> None:
    assert page_of(browser).html["dir"] == "rtl"
