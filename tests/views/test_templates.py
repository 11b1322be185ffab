"""The seams for projects: templates, blocks, properties, and what the documentation says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup

import oauth_accounts
from oauth_accounts import advice, cards, tiles
from oauth_accounts.models import ConnectedAccount
from tests import markdown
from tests.views.browser import Browser, callback_url, list_url

pytestmark = pytest.mark.faces

PACKAGE = Path(oauth_accounts.__file__).parent
TEMPLATES = PACKAGE / "templates" / "oauth_accounts"
CSS = (PACKAGE / "static/oauth_accounts/oauth_accounts.css").read_text()
RULES = re.sub(r"/\*.*?\*/", "", CSS, flags=re.DOTALL)


@pytest.fixture
def page(project_root: Path) -> Path:
    return project_root / "docs" / "templates.md"


@pytest.fixture
def project(tmp_path: Path, settings: Any) -> Any:
    """A function that writes a template of the project."""
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [str(tmp_path)]}]

    def write(name: str, text: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return write


def parse(browser: Browser) -> BeautifulSoup:
    return BeautifulSoup(browser.get(list_url()).content, "html.parser")


def blocks() -> set[tuple[str, str]]:
    """Return the named blocks of the templates."""
    return {
        (name, path.name)
        for path in TEMPLATES.glob("*.html")
        for name in re.findall(r"{% block (oauth_accounts_\w+) %}", path.read_text())
    }


def luminance(colour: str) -> float:
    """Return the relative luminance of #rgb or #rrggbb (WCAG 2.2)."""
    digits = colour[1:] if len(colour) == 7 else "".join(d * 2 for d in colour[1:])
    channels = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


class TestDocumentation:
    def test_every_block_is_documented_with_its_templates(self, page: Path) -> None:
        rows = re.findall(
            r"^\| `(oauth_accounts_\w+)` \| ([^|]*) \|",
            markdown.section(page, "Blocks"),
            re.MULTILINE,
        )
        documented = {
            (name, template)
            for name, templates in rows
            for template in re.findall(r"`([\w.]+)`", templates)
        }
        assert documented == blocks()

    def test_every_property_is_documented(self, page: Path) -> None:
        section = markdown.section(page, "Colours and sizes")
        assert set(markdown.first_column(section)) == set(
            re.findall(r"(--oa-[\w-]+):", RULES)
        )

    def test_every_property_that_is_used_is_set(self) -> None:
        used = set(re.findall(r"var\((--oa-[\w-]+)", RULES))
        assert used <= set(re.findall(r"(--oa-[\w-]+):", RULES))

    def test_the_context_of_the_page_is_documented(
        self, browser: Browser, page: Path
    ) -> None:
        row = re.search(
            r"^\| `oauth_accounts/list.html` \| [^|]* \| (.*) \|$",
            page.read_text(),
            re.MULTILINE,
        )
        assert row is not None
        contexts = browser.get(list_url()).context
        keys = next(set(d) for c in contexts for d in c.dicts if "cards" in d)
        # What a tag of the page without a project adds.
        keys -= {"LANGUAGE_CODE", "LANGUAGE_BIDI"}
        assert set(re.findall(r"`(\w+)`", row[1])) == keys

    def test_everything_about_a_card_is_documented(self, page: Path) -> None:
        text = markdown.section(page, "Templates").partition("A card has")[2]
        names = {
            name
            for name, value in vars(cards.Card).items()
            if isinstance(value, property) and not name.startswith("_")
        }
        documented = set(re.findall(r"`(\w+)`", text)) - {"active", "attention", "off"}
        assert documented == names | {"account"}

    def test_every_step_is_documented(self, page: Path) -> None:
        text = markdown.section(page, "The page of a result")
        steps = {v.name for v in vars(advice).values() if isinstance(v, advice.Step)}
        named = re.search(r"`name` \((.*?)\)", text, re.DOTALL)
        assert named is not None
        assert set(re.findall(r"`(\w+)`", named[1])) == steps


class TestOverriding:
    def test_one_block_of_a_card(
        self, browser: Browser, account: ConnectedAccount, project: Any
    ) -> None:
        project(
            "oauth_accounts/_card.html",
            '{% extends "oauth_accounts/_card.html" %}'
            "{% block oauth_accounts_card_consequences %}"
            "<p>No figures of {{ provider }}.</p>{{ block.super }}{% endblock %}",
        )
        text = parse(browser).find("article").get_text()
        assert "No figures of Fake provider." in text
        assert "stops using" in text
        assert "Permissions" in text

    def test_one_block_of_the_page(self, browser: Browser, project: Any) -> None:
        project(
            "oauth_accounts/list.html",
            '{% extends "oauth_accounts/list.html" %}'
            "{% block oauth_accounts_empty %}<p>Begin here.</p>{% endblock %}",
        )
        page = parse(browser)
        assert "Begin here." in page.get_text()
        assert "not connected any" not in page.get_text()
        assert page.h1.get_text() == "Connected accounts"

    def test_one_block_of_the_result(self, browser: Browser, project: Any) -> None:
        project(
            "oauth_accounts/result.html",
            '{% extends "oauth_accounts/result.html" %}'
            "{% block oauth_accounts_result_code %}Call us.{% endblock %}",
        )
        content = browser.get(callback_url()).content
        assert b"Call us." in content
        assert b"<code>" not in content

    def test_an_icon(
        self, browser: Browser, account: ConnectedAccount, project: Any
    ) -> None:
        project("oauth_accounts/icons/fake.html", '<img src="/static/f.svg" alt="">')
        tile = parse(browser).find("article").find(class_="oa-tile")
        assert tile["aria-hidden"] == "true"
        assert tile.img["src"] == "/static/f.svg"


class TestStylesheetLink:
    @pytest.mark.parametrize(
        "name", ["extra_head", "extrahead", "extra_css", "styles", "head"]
    )
    def test_it_goes_into_a_block_of_the_head(
        self, browser: Browser, project: Any, name: str
    ) -> None:
        project(
            "base.html",
            f"<html><head>{{% block {name} %}}<meta name=ours>{{% endblock %}}</head>"
            "<body>{% block content %}{% endblock %}</body></html>",
        )
        page = parse(browser)
        (link,) = page.find_all("link", rel="stylesheet")
        assert link.parent.name == "head"
        assert page.find("meta", attrs={"name": "ours"}) is not None

    def test_once_where_there_are_several(self, browser: Browser, project: Any) -> None:
        project(
            "base.html",
            "<html><head>{% block head %}{% block extra_css %}{% endblock %}"
            "{% block extra_head %}{% endblock %}{% endblock %}</head>"
            "<body>{% block content %}{% endblock %}</body></html>",
        )
        assert len(parse(browser).find_all("link", rel="stylesheet")) == 1

    def test_without_one_it_stands_before_the_content(
        self, browser: Browser, project: Any
    ) -> None:
        project("base.html", "<body>{% block content %}{% endblock %}</body>")
        page = parse(browser)
        (link,) = page.find_all("link", rel="stylesheet")
        assert link.find_next_sibling("div")["class"] == ["oa"]

    def test_the_own_page_has_it_in_its_head(self, browser: Browser) -> None:
        (link,) = parse(browser).find_all("link", rel="stylesheet")
        assert link.parent.name == "head"

    def test_the_base_of_the_documentation_works(
        self, browser: Browser, project: Any, page: Path
    ) -> None:
        example = next(b for b in markdown.blocks(page) if "site/layout" in b.text)
        project("oauth_accounts/base.html", example.text)
        project(
            "site/layout.html",
            "<head>{% block heading %}{% endblock %}{% block stylesheets %}"
            "{% endblock %}</head>{% block main %}{% endblock %}",
        )
        shown = parse(browser)
        assert len(shown.find_all("link", rel="stylesheet")) == 1
        assert shown.find(class_="oa").h1 is not None


class TestStylesheet:
    def selectors(self) -> list[str]:
        found = re.findall(r"([^{}]+)\{", re.sub(r"@[\w-]+[^{;]*\{", "", RULES))
        return [one.strip() for group in found for one in self.split(group)]

    def split(self, group: str) -> list[str]:
        return re.split(r",(?![^(]*\))", group)

    def test_nothing_holds_outside(self) -> None:
        selectors = self.selectors()
        assert len(selectors) > 80
        inside = re.compile(r"(\.oa|\.oa-page|:where\(\.oa[\w -.]*\))(?![\w-])")
        assert [one for one in selectors if not inside.match(one)] == []

    def test_no_property_is_set_where_a_project_could_not_win(self) -> None:
        declared = re.findall(r"([^{}]+)\{([^{}]*--oa-[\w-]+:[^{}]*)\}", RULES)
        strong = {s.strip() for s, _ in declared if not s.strip().startswith(":where(")}
        # The tile of a button is smaller; the project's size is for the others.
        assert strong == {".oa .oa-offer"}

    def test_it_has_no_left_and_no_right(self) -> None:
        physical = r"[\s-](left|right)\b|(?<![\w-])(width|height|max-width):"
        found = re.findall(physical, re.sub(r"@media[^{]*", "", RULES))
        assert found == []

    def test_letters_can_be_read_on_every_colour(self) -> None:
        hues = dict(re.findall(r"\.oa-hue-(\d+) \{ background: (#\w+);", RULES))
        assert set(hues) == {str(number) for number in range(tiles.HUES)}
        for colour in hues.values():
            assert contrast(colour, "#fff") >= 4.5

    @pytest.mark.parametrize(
        ("ink", "ground"),
        [
            ("good", "good-ground"),
            ("warn", "warn-ground"),
            ("off", "off-ground"),
            ("on-accent", "accent"),
            ("on-danger", "danger"),
            ("ink", "ground"),
            ("ink", "surface"),
            ("warn", "surface"),
        ],
    )
    def test_text_can_be_read_in_light_and_dark(self, ink: str, ground: str) -> None:
        def pair(name: str) -> tuple[str, str]:
            (found,) = re.findall(rf"--oa-{name}: light-dark\((#\w+), (#\w+)\)", RULES)
            return found

        for one, other in zip(pair(ink), pair(ground), strict=True):
            assert contrast(one, other) >= 4.5

    def test_nothing_moves_unless_it_may(self) -> None:
        moving = re.search(r"transition|animation", RULES)
        assert moving is not None
        allowed = RULES.index("prefers-reduced-motion: no-preference")
        assert moving.start() > allowed
