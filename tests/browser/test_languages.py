"""Pages in a language with long words, and in one that is read from the right."""

from __future__ import annotations

import pytest

from tests.browser import looks
from tests.browser.conftest import NARROW, WIDE
from tests.browser.pages import CONNECTED, PAGES
from tests.browser.sites import MEMBER, NEWCOMER

pytestmark = [pytest.mark.faces, pytest.mark.browser]

# What is done on the way to some is done by English names. Lists of records have nothing
# of their own that the list of accounts has not.
RECORDS = {"admin-attempts", "admin-events", "admin-revocations", "admin-statistics"}
SHOWN = [
    page
    for page in PAGES
    if page.reach is None
    and page.name not in RECORDS
    and page.name.startswith(("accounts", "admin", "result"))
]
each_page = pytest.mark.parametrize("page", SHOWN, ids=lambda page: page.name)

# Texts that begin on the side where their language does not.
MISPLACED = """() => {
  const start = document.documentElement.dir === "rtl" ? "right" : "left";
  return [...document.querySelectorAll("main, h1, h2, p, dl, ul, table, td, th, form")]
    .filter(one => one.checkVisibility() && one.textContent.trim())
    .filter(one => {
      const {textAlign, direction} = getComputedStyle(one);
      const sides = {start: direction === "rtl" ? "right" : "left", left: "left",
        right: "right"};
      return sides[textAlign] && sides[textAlign] !== start;
    })
    .map(one => `${one.tagName}.${one.className}: ${one.textContent.trim().slice(0, 40)}`);
}"""

# Addresses and codes that the direction of the page would turn around.
TURNED = """() => [...document.querySelectorAll("code, input[type=url]")]
  .filter(one => one.checkVisibility())
  .filter(one => {
    const {direction, unicodeBidi, display} = getComputedStyle(one);
    return direction !== "ltr" || (display === "inline" && unicodeBidi === "normal");
  })
  .map(one => `${one.tagName}: ${one.textContent || one.value}`)"""


@each_page
def test_page_in_german_fits_a_phone(page, tabs, example):
    tab = tabs(page.who, language="de")
    tab.page.set_viewport_size(NARROW)
    page.open(tab.page, example)
    assert tab.page.locator("html").get_attribute("lang") == "de"
    assert looks.overflow(tab.page) == []


@each_page
def test_page_in_hebrew_is_read_from_the_right(page, tabs, example):
    tab = tabs(page.who, language="he")
    tab.page.set_viewport_size(NARROW)
    page.open(tab.page, example)
    html = tab.page.locator("html")
    assert (html.get_attribute("lang"), html.get_attribute("dir")) == ("he", "rtl")
    assert looks.overflow(tab.page) == []
    assert tab.page.evaluate(MISPLACED) == []
    assert tab.page.evaluate(TURNED) == []


@pytest.mark.parametrize("language", ["de", "es", "fr", "ja"])
def test_pages_of_the_user_are_all_in_the_language_of_the_browser(
    language, tabs, example
):
    headings = {
        "de": "Verbundene Konten",
        "es": "Cuentas conectadas",
        "fr": "Comptes connectés",
        "ja": "連携アカウント",
    }
    tab = tabs(MEMBER, language=language)
    tab.page.goto(example.url(CONNECTED))
    assert tab.page.locator("h1").inner_text() == headings[language]


def test_language_is_chosen_at_the_foot_of_the_page(tabs, example):
    tab = tabs(NEWCOMER, scheme="dark")
    tab.page.set_viewport_size(WIDE)
    tab.page.goto(example.url(CONNECTED))
    tab.page.get_by_label("Language").select_option(label="Deutsch")
    tab.page.get_by_role("button", name="Change").click()
    assert tab.page.locator("h1").inner_text() == "Verbundene Konten"
    assert tab.page.url == example.url(CONNECTED)
    tab.page.get_by_label("Language").select_option(label="English")
    tab.page.get_by_role("button", name="Change").click()
    assert tab.page.locator("h1").inner_text() == "Connected accounts"
