"""Parts of pages that need no request: where the stylesheet and the base come from."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from django.http import HttpResponse
from django.template import engines
from django.test import override_settings

from oauth_accounts import pages, reasons

pytestmark = pytest.mark.faces

DJANGO = "django.template.backends.django.DjangoTemplates"


def policy() -> str:
    response = HttpResponse()
    pages.restrict(response)
    return response["Content-Security-Policy"]


def test_pages_load_the_own_stylesheet_only() -> None:
    assert policy() == (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; frame-ancestors 'none'"
    )


@override_settings(STATIC_URL="https://cdn.example/s/")
def test_static_files_may_live_elsewhere() -> None:
    assert "style-src 'self' https://cdn.example;" in policy()


def test_connecting_may_redirect_anywhere() -> None:
    # Chromium applies form-action to the redirect to the provider.
    assert "form-action" not in policy()


def test_b28_a_huge_path_is_refused_at_once() -> None:
    before = time.perf_counter()
    assert pages.safe_path("/" + "a/" * 50_000) == ""
    assert time.perf_counter() - before < 0.1


@pytest.mark.parametrize("path", ["/", "/a?b=c#d", "/%2F%2Fevil.example", "/ü"])
def test_local_paths_pass(path: str) -> None:
    assert pages.safe_path(path) == path


@pytest.mark.parametrize("path", ["/\u2028x", "/x\x7f", "/x\x85", ""])
def test_a1_10_invisible_characters_do_not_pass(path: str) -> None:
    assert pages.safe_path(path) == ""


class TestBaseTemplate:
    def test_a_project_without_one_gets_the_own(self) -> None:
        assert pages.base_template() == "oauth_accounts/bare.html"

    def test_a_projects_base_is_extended(self, tmp_path: Path) -> None:
        (tmp_path / "base.html").write_text("")
        engine = {"BACKEND": DJANGO, "DIRS": [str(tmp_path)], "APP_DIRS": True}
        with override_settings(TEMPLATES=[engine]):
            assert pages.base_template() == "base.html"

    def test_a_base_of_another_engine_cannot_be(self, tmp_path: Path) -> None:
        (tmp_path / "base.html").write_text("")
        other = {
            "BACKEND": "django.template.backends.dummy.TemplateStrings",
            "DIRS": [str(tmp_path)],
            "APP_DIRS": False,
        }
        own = {"BACKEND": DJANGO, "APP_DIRS": True}
        with override_settings(TEMPLATES=[other, own]):
            assert len(engines.all()) == 2
            assert pages.base_template() == "oauth_accounts/bare.html"


class TestReasons:
    @pytest.mark.parametrize(
        "code", ["invalid_grant", "outcome_unknown", "undecryptable"]
    )
    def test_codes_have_words(self, code: str) -> None:
        assert reasons.describe_account(code) != code

    def test_an_unknown_code_stands_for_itself(self) -> None:
        assert reasons.describe_account("brand_new") == "brand_new"
