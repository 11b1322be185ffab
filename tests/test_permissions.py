"""Scopes in words: the provider's own, the standard ones, and none."""

from __future__ import annotations

import gettext

import pytest
from django.utils import translation
from django.utils.translation import trans_real

from oauth_accounts import permissions


def words(*scopes, own=None):
    return [permission.words for permission in permissions.describe(scopes, own or {})]


def test_the_scopes_of_openid_connect_have_words():
    described = permissions.describe(permissions.STANDARD, {})
    assert all(permission.words for permission in described)
    assert words("email") == ["Read your email address"]


def test_an_unknown_scope_has_none():
    (permission,) = permissions.describe(["repo:status"], {})
    assert (permission.scope, permission.words) == ("repo:status", "")


def test_the_providers_own_words_go_first():
    assert words("email", own={"email": "Write to you"}) == ["Write to you"]


def test_order_is_kept_and_repetitions_are_not():
    described = permissions.describe(["b", "a", "b"], {})
    assert [permission.scope for permission in described] == ["b", "a"]


@pytest.mark.parametrize("own", [None, [], "text", {"email": ""}, {"email": 5}])
def test_what_sql_wrote_is_passed_over(own):
    assert words("email", own=own) == ["Read your email address"]


class Catalogue(gettext.NullTranslations):
    """A project's translations."""

    def gettext(self, message):
        return {"Read your notes": "Deine Notizen lesen"}.get(message, message)


def test_own_words_are_looked_up_in_the_projects_catalogues(monkeypatch):
    monkeypatch.setattr(trans_real, "_translations", {"de": Catalogue()})
    with translation.override("de"):
        assert words("n", own={"n": "Read your notes"}) == ["Deine Notizen lesen"]
