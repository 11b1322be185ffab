"""Each page: accessible, in both colour schemes, narrow and wide, with and without scripts."""

from __future__ import annotations

import re

import pytest

from example_project.site.seed.keys import account_key, provider_key
from tests.browser import looks, sites
from tests.browser.conftest import NARROW, WIDE
from tests.browser.pages import CONNECTED, IN_ADMIN, PAGES, action

pytestmark = [pytest.mark.faces, pytest.mark.browser]

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@each_page
def test_page_is_accessible_and_shows_where_the_focus_is(page, tabs, example):
    tab = tabs(page.who)
    tab.page.set_viewport_size(WIDE)
    page.open(tab.page, example)
    tags = looks.TAGS if page.who == sites.ADMIN else looks.OWN_TAGS
    assert looks.violations(tab.page, tags=tags) == []
    assert looks.hidden_focus(tab.page) == []
    assert looks.overflow(tab.page) == []
    assert tab.wrong == []


@each_page
def test_page_is_legible_in_the_dark_and_on_a_phone(page, tabs, example):
    tab = tabs(page.who, scheme="dark")
    tab.page.set_viewport_size(NARROW)
    page.open(tab.page, example)
    assert looks.violations_of_looks(tab.page) == []
    assert looks.overflow(tab.page) == []
    assert tab.wrong == []


@each_page
def test_page_works_without_scripts(page, tabs, example):
    tab = tabs(page.who, scripts=False)
    tab.page.set_viewport_size(NARROW)
    page.open(tab.page, example)
    assert tab.page.locator("h1").first.is_visible()
    assert looks.overflow(tab.page) == []
    assert tab.wrong == []


class TestWithoutScripts:
    """Whatever is sent, is sent by forms."""

    @pytest.fixture
    def member(self, tabs):
        return tabs(sites.MEMBER, scripts=False).page

    @pytest.fixture
    def admin(self, tabs):
        return tabs(sites.ADMIN, scripts=False).page

    def test_user_connects(self, member, example):
        member.goto(example.url(f"{CONNECTED}?connect=pigeon-mail"))
        member.get_by_role("button", name="Connect Pigeon Mail").first.click()
        member.get_by_label("Your account here").fill("scriptless@pigeon.example")
        member.get_by_role("button", name="Allow").click()
        assert member.get_by_text("scriptless@pigeon.example").first.is_visible()

    def test_user_disconnects_after_a_question(self, tabs, example):
        member = tabs(sites.REGULAR, scripts=False).page
        member.goto(example.url(CONNECTED))
        card = (
            member.get_by_role("article").filter(has_text="edith@harbor.example").first
        )
        button = card.get_by_role("button", name=re.compile("Disconnect"))
        assert not button.is_visible()
        card.get_by_text("Disconnect…").click()
        button.click()
        gone = member.get_by_text(re.compile(r"\d disconnected account"))
        gone.click()
        ended = member.locator("details", has=gone)
        assert "edith@harbor.example" in ended.inner_text()

    def test_administrator_revokes_after_a_question(self, admin, example):
        key = account_key("crowd-3")
        admin.goto(example.url(f"{IN_ADMIN}/connectedaccount/?q={key}"))
        action("revoke_selected", key)(admin)
        admin.locator("#content form [type=submit]").first.click()
        said = admin.locator("#container").inner_text()
        assert "It was stopped here." in said

    def test_administrator_saves_a_provider(self, admin, example):
        path = f"{IN_ADMIN}/provider/{provider_key('harbor-drive')}/change/"
        admin.goto(example.url(path))
        admin.locator("#id_name").fill("Harbor Drive & Dock")
        admin.locator("[name=_continue]").click()
        assert "changed successfully" in admin.locator(".messagelist").inner_text()
        assert admin.locator("#id_name").input_value() == "Harbor Drive & Dock"
