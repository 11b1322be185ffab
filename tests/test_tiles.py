"""What stands beside a provider's name."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.template import Context, Template
from django.test import override_settings

from oauth_accounts import tiles
from oauth_accounts.models import Provider

DJANGO = "django.template.backends.django.DjangoTemplates"
JINJA_LIKE = "django.template.backends.dummy.TemplateStrings"


@pytest.fixture
def icons(tmp_path):
    """A function that makes an icon of a project; its templates are in force."""
    folder = tmp_path / "oauth_accounts" / "icons"
    folder.mkdir(parents=True)
    engine = {"BACKEND": DJANGO, "DIRS": [str(tmp_path)], "APP_DIRS": True}
    with override_settings(TEMPLATES=[engine]):
        yield lambda slug, html: (folder / f"{slug}.html").write_text(html)


def shown(slug="tracker", name="Issue tracker"):
    page = Template("{% load oauth_accounts %}{% provider_tile provider %}")
    return page.render(Context({"provider": Provider(slug=slug, name=name)}))


@pytest.mark.parametrize(
    ("name", "letter"),
    [
        ("issue tracker", "I"),
        ("  (9 lives)", "9"),
        ("ßeta", "S"),
        ("日記", "日"),
        ("", ""),
    ],
)
def test_the_letter_is_the_first_of_the_name(name, letter):
    assert tiles.letter_of(name) == letter


def test_a_colour_stays_with_its_slug():
    assert tiles.hue_of("tracker") == tiles.hue_of("tracker")
    hues = {tiles.hue_of(f"provider-{number}") for number in range(500)}
    assert hues == set(range(tiles.HUES))


def test_a_slug_that_is_no_text_of_a_file_system_has_a_colour():
    assert 0 <= tiles.hue_of("\udc80") < tiles.HUES


def test_without_an_icon_there_is_a_letter_on_a_colour():
    html = shown()
    assert 'aria-hidden="true"' in html
    assert f"oa-hue-{tiles.hue_of('tracker')}" in html
    assert ">I<" in html


def test_a_projects_icon_takes_its_place(icons):
    icons("tracker", '<svg data-of="{{ provider.slug }}"></svg>')
    html = shown()
    assert '<svg data-of="tracker"></svg>' in html
    assert "oa-hue" not in html


def test_it_is_looked_for_once(icons, settings):
    assert tiles.icon_of("tracker") is None
    icons("tracker", "<svg></svg>")
    assert tiles.icon_of("tracker") is None
    with override_settings(TEMPLATES=settings.TEMPLATES):
        assert tiles.icon_of("tracker") is not None


@pytest.mark.parametrize("slug", ["../list", "a/b", "nul\0", ""])
def test_a_slug_of_sqls_is_no_path(icons, slug, tmp_path):
    (tmp_path / "oauth_accounts" / "list.html").write_text("not an icon")
    assert tiles.icon_of(slug) is None


def test_an_icon_of_another_engine_cannot_be_included(tmp_path: Path):
    folder = tmp_path / "oauth_accounts" / "icons"
    folder.mkdir(parents=True)
    (folder / "tracker.html").write_text("<svg></svg>")
    other = {"BACKEND": JINJA_LIKE, "DIRS": [str(tmp_path)], "APP_DIRS": False}
    own = {"BACKEND": DJANGO, "APP_DIRS": True}
    with override_settings(TEMPLATES=[other, own]):
        assert tiles.icon_of("tracker") is None


def test_other_settings_forget_nothing(icons):
    tiles.icon_of("tracker")
    with override_settings(LANGUAGE_CODE="de"):
        assert tiles.icon_of.cache_info().currsize == 1
