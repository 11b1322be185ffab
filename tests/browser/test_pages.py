"""Each page: accessible, in both colour schemes, narrow and wide, with and without scripts."""

from __future__ import annotations

import pytest

from tests.browser import looks, sites
from tests.browser.conftest import NARROW, WIDE
from tests.browser.pages import PAGES

pytestmark = [pytest.mark.faces, pytest.mark.browser]

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@each_page
@pytest.mark.parametrize(("scheme", "size"), [("light", WIDE), ("dark", NARROW)])
def test_page_is_accessible_fits_and_is_quiet(page, scheme, size, tabs, example):
    tab = tabs(page.who, scheme=scheme)
    tab.page.set_viewport_size(size)
    page.open(tab.page, example)
    tags = looks.TAGS if page.who == sites.ADMIN else looks.OWN_TAGS
    assert looks.violations(tab.page, tags) == []
    assert looks.overflow(tab.page) == []
    assert tab.wrong == []


@each_page
def test_page_shows_where_the_focus_is(page, tabs, example):
    tab = tabs(page.who)
    page.open(tab.page, example)
    assert looks.hidden_focus(tab.page) == []


@each_page
def test_page_works_without_scripts(page, tabs, example):
    tab = tabs(page.who, scripts=False)
    tab.page.set_viewport_size(NARROW)
    page.open(tab.page, example)
    assert tab.page.locator("h1").first.is_visible()
    assert looks.overflow(tab.page) == []
    assert tab.wrong == []
