"""
Every text of the package is marked for translation, and each language has all of them.

`make messages` brings the catalogues up to date; see CONTRIBUTING.md.
"""

from __future__ import annotations

import gettext
import re
from pathlib import Path
from typing import Any

import django
import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import read_mo
from django.apps import apps
from django.core.management import call_command
from django.utils import translation
from django.utils.functional import Promise

import oauth_accounts
from tests.languages import bare, catalogues
from tests.languages.extraction import TEMPLATES, extracted, sources

PACKAGE = Path(oauth_accounts.__file__).parent
LANGUAGES = catalogues.languages(PACKAGE)
DJANGO = Path(django.__file__).parent

# Names, and what only developers read: see docs/languages.md.
NAMES = {"OAuth 1.0a", "OAuth 2.0"}
FOR_DEVELOPERS = {"checks", "management", "testing"}
PAGES = set("admin advice ages cards forms inputs notices pages reasons views".split())
# Columns that no page names.
UNSEEN = {
    *("attempt_started_at", "generation", "identity_key", "lease", "lease_until"),
    "reason_before",
    *("browser_hash", "code_verifier", "nonce", "state_hash"),
    *("busy_until", "probe_until", "refresh_slots_at", "snapshot"),
}
SNAPSHOTS = {
    f"oauth_accounts.{name}"
    for name in (
        "AuthorizationAttempt.authorization_endpoint",
        "AuthorizationAttempt.token_endpoint",
        "PendingRevocation.access_token",
        "PendingRevocation.refresh_token",
    )
}

PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd%]|\{\w*\}")
TAG = re.compile(r"</?\w[^>]*>")
ENDS = {".": ".。", ":": ":：", "?": "?？", "!": "!！", "…": "…"}

each_language = pytest.mark.parametrize("language", LANGUAGES)


@pytest.fixture(scope="module")
def texts() -> Catalog:
    return extracted(PACKAGE)


def catalogue(language: str) -> Catalog:
    return catalogues.read(catalogues.path_of(PACKAGE, language), language)


def messages(language: str) -> list[Message]:
    return [message for message in catalogue(language) if message.id]


def context(message: Any) -> str | None:
    """Return a message's context; Babel reads it as bytes before 2.17."""
    found = message.context
    return found.decode() if isinstance(found, bytes) else found


def forms(text: Any) -> tuple[str, ...]:
    return tuple(text) if isinstance(text, tuple | list) else (text,)


def keys(found: Catalog) -> set[Any]:
    return {(message.context, forms(message.id)) for message in found if message.id}


def pairs(language: str) -> list[tuple[str, str]]:
    """Return each form of each translation beside the English form it stands for."""
    found = []
    for message in filter(catalogues.is_ready, messages(language)):
        english = forms(message.id)
        for position, string in enumerate(forms(message.string)):
            # Where a language has one form for all numbers, that is the plural.
            is_only = len(forms(message.string)) == 1
            found.append(
                (english[-1 if is_only else min(position, len(english) - 1)], string)
            )
    return found


def modules() -> list[Path]:
    found = [path for path in sources(PACKAGE) if path.suffix == ".py"]
    return [p for p in found if not FOR_DEVELOPERS & set(p.relative_to(PACKAGE).parts)]


class TestCatalogues:
    def test_german_french_spanish_and_japanese_are_there(self) -> None:
        assert {"de", "es", "fr", "ja"} <= set(LANGUAGES)

    @each_language
    def test_hold_exactly_the_texts_of_the_package(
        self, language: str, texts: Catalog
    ) -> None:
        assert keys(catalogue(language)) ^ keys(texts) == set(), "run: make messages"

    @each_language
    def test_are_as_make_messages_writes_them(
        self, language: str, texts: Catalog
    ) -> None:
        old = catalogue(language)
        new = catalogues.updated(old, texts)
        assert [(m.locations, m.auto_comments) for m in new if m.id] == [
            (m.locations, m.auto_comments) for m in old if m.id
        ], "run: make messages"

    @each_language
    def test_are_complete_and_nothing_in_them_is_fuzzy(self, language: str) -> None:
        assert catalogues.untranslated(catalogue(language)) == []

    @each_language
    def test_have_every_plural_form(self, language: str) -> None:
        found = catalogue(language)
        plurals = [m for m in found if m.id and isinstance(m.id, tuple | list)]
        assert plurals
        assert [m for m in plurals if len(m.string) != found.num_plurals] == []

    @each_language
    def test_are_what_django_reads(self, language: str) -> None:
        path = catalogues.path_of(PACKAGE, language)
        with path.with_suffix(".mo").open("rb") as file:
            read = read_mo(file)
        compiled = {(context(m), forms(m.id)): forms(m.string) for m in read if m.id}
        ready = filter(catalogues.is_ready, messages(language))
        written = {(m.context, forms(m.id)): forms(m.string) for m in ready}
        assert compiled == written, "run: make messages"


class TestTranslations:
    @each_language
    def test_keep_the_placeholders(self, language: str) -> None:
        odd = [
            (english, string)
            for english, string in pairs(language)
            if sorted(PLACEHOLDER.findall(english))
            != sorted(PLACEHOLDER.findall(string))
        ]
        assert odd == []

    @each_language
    def test_keep_the_html(self, language: str) -> None:
        odd = [
            (english, string)
            for english, string in pairs(language)
            if sorted(TAG.findall(english)) != sorted(TAG.findall(string))
        ]
        assert odd == []

    @each_language
    def test_begin_and_end_as_the_text_does(self, language: str) -> None:
        odd = [
            (english, string)
            for english, string in pairs(language)
            if string != string.strip()
            or (english[-1] in ENDS and string[-1] not in ENDS[english[-1]])
            or (string[-1] in ".。:：?？" and english[-1] not in ENDS)
        ]
        assert odd == []

    @each_language
    def test_say_what_django_says_where_both_have_the_text(self, language: str) -> None:
        # Which catalogue wins depends on the order of INSTALLED_APPS.
        odd = []
        for message in messages(language):
            if message.context or not isinstance(message.id, str):
                continue
            theirs = {catalog.gettext(message.id) for catalog in of_django(language)}
            odd += [
                (message.string, other)
                for other in theirs - {message.id, message.string}
            ]
        assert odd == []

    def test_are_shown_once_a_language_is_active(self) -> None:
        with translation.override("de"):
            assert str(apps.get_app_config("oauth_accounts").verbose_name) == (
                "Verbundene Konten"
            )


def of_django(language: str) -> list[gettext.GNUTranslations]:
    """Return the catalogues of Django whose texts stand on the same pages."""
    rooms = ("conf", "contrib/admin", "contrib/auth")
    paths = [
        DJANGO / room / "locale" / language / f"{catalogues.NAME}.mo" for room in rooms
    ]
    found = []
    for path in paths:
        if path.exists():
            with path.open("rb") as file:
                found.append(gettext.GNUTranslations(file))
    return found


class TestTexts:
    def test_of_templates_are_marked_for_translation(self) -> None:
        found = {
            path.name: texts
            for path in sources(PACKAGE)
            if path.suffix in TEMPLATES
            and (texts := bare.in_template(path.read_text(encoding="utf-8")))
        }
        assert found == {}

    def test_of_python_are_marked_where_they_are_shown(self) -> None:
        found = {
            path.relative_to(PACKAGE).as_posix(): texts
            for path in modules()
            if (texts := set(bare.in_python(path.read_text(encoding="utf-8"))) - NAMES)
        }
        assert found == {}

    def test_of_pages_are_marked_wherever_they_stand(self) -> None:
        found = {
            path.relative_to(PACKAGE).as_posix(): texts
            for path in modules()
            if path.relative_to(PACKAGE).with_suffix("").parts[0] in PAGES
            and (texts := bare.sentences(path.read_text(encoding="utf-8")))
        }
        assert found == {}

    def test_of_columns_are_lazy_but_for_those_that_nobody_sees(self) -> None:
        eager = {
            str(field)
            for model in apps.get_app_config("oauth_accounts").get_models()
            for field in model._meta.concrete_fields
            if not field.primary_key and not isinstance(field.verbose_name, Promise)
        }
        eager -= SNAPSHOTS
        assert [n for n in eager if n.rpartition(".")[2] not in UNSEEN] == []

    def test_of_models_are_lazy(self) -> None:
        assert [
            model.__name__
            for model in apps.get_app_config("oauth_accounts").get_models()
            if not isinstance(model._meta.verbose_name, Promise)
            or not isinstance(model._meta.verbose_name_plural, Promise)
        ] == []

    @pytest.mark.faces
    @pytest.mark.django_db
    @each_language
    def test_make_no_migration_in_another_language(
        self, language: str, settings: Any
    ) -> None:
        settings.LANGUAGE_CODE = language
        with translation.override(language):
            call_command(
                "makemigrations",
                "oauth_accounts",
                check=True,
                dry_run=True,
                verbosity=0,
            )


class TestExtraction:
    def test_finds_what_templates_and_modules_mark(self, tmp_path: Path) -> None:
        (tmp_path / "templates").mkdir()
        (tmp_path / "templates" / "a.html").write_text(
            "<p>it's (\n    {# Translators: a verb #}\n"
            "  {% translate 'Open' context 'door' %}</p>\n"
            "{% blocktranslate trimmed count n=n %}\n  {{ n }} %\n"
            "{% plural %}\n  {{ n }} %s\n{% endblocktranslate %}"
        )
        (tmp_path / "b.py").write_text("x = _('One' ' two')\n")
        found = extracted(tmp_path)
        assert keys(found) == {
            ("door", ("Open",)),
            (None, ("%(n)s %%", "%(n)s %%s")),
            (None, ("One two",)),
        }
        assert found.get("Open", "door").auto_comments == ["Translators: a verb"]

    def test_begins_a_language_and_keeps_what_was_translated(
        self, texts: Catalog, tmp_path: Path
    ) -> None:
        path = catalogues.path_of(tmp_path, "nl")
        begun = catalogues.updated(catalogues.read(path, "nl"), texts)
        assert len(catalogues.untranslated(begun)) == len(begun) > 100
        begun.get("provider").string = "aanbieder"
        begun.add("gone", "weg")
        catalogues.write(path, begun)
        before = path.read_bytes(), path.with_suffix(".mo").read_bytes()
        again = catalogues.updated(catalogues.read(path, "nl"), texts)
        assert again.get("provider").string == "aanbieder"
        assert again.get("gone") is None
        catalogues.write(path, again)
        catalogues.write(path, catalogues.updated(catalogues.read(path, "nl"), texts))
        assert path.with_suffix(".mo").read_bytes() != before[1]
        assert b"fuzzy" not in path.read_bytes()
        assert b"Date" not in before[0]

    @pytest.mark.parametrize(
        "source",
        [
            "<p>Hello</p>",
            '<a title="Hello">{{ name }}</a>',
            '<input type="submit" value="{% if x %}Hello{% endif %}">',
        ],
    )
    def test_sees_bare_texts_in_templates(self, source: str) -> None:
        assert bare.in_template(source) == ["Hello"]

    @pytest.mark.parametrize(
        "source",
        [
            '{% translate "Hello" %}: &rsaquo; 5',
            "{% blocktranslate %}Hello{% endblocktranslate %}",
            "{# Hello #}{% comment %}Hello{% endcomment %}",
            '<input type="hidden" value="hello"><p class="hello">',
            "<style>p { color: red }</style>",
        ],
    )
    def test_takes_nothing_else_for_one(self, source: str) -> None:
        assert bare.in_template(source) == []

    @pytest.mark.parametrize(
        "source",
        [
            "x = forms.CharField(label='Hello')",
            "x = models.TextField('Hello')",
            "class A(models.TextChoices):\n    B = 'b', 'Hello'",
            "messages.error(request, 'Hello')",
            "self.add_error(None, 'Hello')",
            "f.short_description = 'Hello'",
            "format_html('<p>Hello</p>')",
            "raise ValidationError({'a': 'Hello'})",
        ],
    )
    def test_sees_bare_texts_in_python(self, source: str) -> None:
        assert bare.in_python(source) == ["Hello"]
        assert (
            bare.in_python(
                source.replace("'Hello'", "_('Hello')").replace(
                    "'<p>Hello</p>'", "'<p>{}</p>', _('Hello')"
                )
            )
            == []
        )

    def test_sees_sentences_anywhere_but_for_developers(self) -> None:
        source = (
            "'A docstring is one.'\n"
            "x = 'Hello there'\n"
            "raise ValueError('For developers only')\n"
            "logger.info('For the log')\n"
            "y = _('This is translated')\n"
        )
        assert bare.sentences(source) == ["Hello there"]
