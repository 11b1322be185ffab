"""C3.2, B33: every page of the admin, with each permission alone and with all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin import site
from django.contrib.auth.models import Permission
from django.db.models import Model
from django.http import HttpResponse

from oauth_accounts.admin.actions import list_actions
from oauth_accounts.admin.readonly import sealed_columns
from oauth_accounts.models import ConnectedAccount
from tests.admin.desk import Desk, url
from tests.leaks.markers import Secrets
from tests.leaks.test_dumps import full, sealed_text

pytestmark = pytest.mark.faces

__all__ = ["full"]

APP = apps.get_app_config("oauth_accounts")
MODELS = [model for model in APP.get_models() if model in site._registry]
NAMES = [model._meta.model_name or "" for model in MODELS]
# A page in the place of a list, and the only one of its model.
OVERVIEW = "health"
LOOKUPS = ["", "__startswith", "__regex", "__gt"]
PAGES = ["change", "delete", "history"]


CONNECTED = "connectedaccount"
ACTIONS = [action.__name__ for action in list_actions()]


def codenames() -> list[str]:
    """Return every permission of the app there is, as code names."""
    return sorted(
        f"{action}_{model._meta.model_name}"
        for model in APP.get_models()
        for action in model._meta.default_permissions
    ) + [name for model in APP.get_models() for name, _text in model._meta.permissions]


def addresses() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield each page that there is: of a model, and of its rows."""
    for model, name in zip(MODELS, NAMES, strict=True):
        yield f"{name}_changelist", ()
        if name == OVERVIEW:
            continue
        yield f"{name}_add", ()
        for row in model._default_manager.all()[:2]:
            for page in PAGES:
                yield f"{name}_{page}", (row.pk,)


def check(secrets: Secrets, response: HttpResponse, allowed: set[int]) -> None:
    assert response.status_code in allowed, response.status_code
    page = response.content.decode() + str(response.headers)
    assert secrets.found_in(page=page) == []
    assert sealed_text() not in page


def test_c3_2_b33_with_each_single_permission(
    full: Secrets, staff: Callable[..., Desk]
) -> None:
    desk = staff()
    for codename in codenames():
        permission = Permission.objects.get(codename=codename)
        desk.user.user_permissions.set([permission])
        for name, args in addresses():
            response = desk.get(name, *args)
            check(full, response, {200, 302, 403})
            if response.status_code == 200:
                # What was done to accounts is seen by whoever sees accounts.
                about = name.rpartition("_")[0].replace("bulkaction", CONNECTED)
                assert codename.partition("_")[2] == about
        for action in ACTIONS:
            response = desk.act(action, *ConnectedAccount.objects.all())
            check(full, response, {200, 302, 403})


def test_c3_2_b33_with_all_permissions(full: Secrets, admin: Desk) -> None:
    seen = [admin.get(name, *args) for name, args in addresses()]
    for response in seen:
        check(full, response, {200, 302, 403})
    assert sum(response.status_code == 200 for response in seen) > 20


@pytest.mark.parametrize("name", [name for name in NAMES if name != OVERVIEW])
def test_c3_2_sorting_facets_and_searching(
    full: Secrets, admin: Desk, name: str
) -> None:
    known = [{"o": f"{sign}{n}"} for n in range(1, 12) for sign in ("", "-")]
    odd = [{"o": "access_token"}, {"_facets": "True"}, {"e": "1"}, {"all": ""}]
    odd += [{"_to_field": column} for column in ("access_token", "client_secret")]
    odd += [{"_popup": "1"}, {"p": "0"}]
    for data in known + odd:
        response = admin.get(f"{name}_changelist", **data)
        check(full, response, {200, 302, 400})
    for secret in full:
        response = admin.get(f"{name}_changelist", q=secret)
        assert response.status_code == 200
        assert b" 0 " in response.content or not response.context["cl"].search_fields


def sealed_from(model: type[Model]) -> list[str]:
    """Return each way to a sealed column, of the model itself and of what it refers to."""
    found = sealed_columns(model)
    for relation in model._meta.get_fields():
        target = relation.related_model
        if isinstance(target, type) and issubclass(target, Model):
            found += [f"{relation.name}__{name}" for name in sealed_columns(target)]
    return found


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_c3_2_no_lookup_tells_whether_a_guess_is_right(
    full: Secrets, admin: Desk, model: type[Model]
) -> None:
    right = next(iter(full))
    guesses = (right, "x" * len(right), sealed_text())
    page = f"{model._meta.model_name}_changelist"
    for column in sealed_from(model):
        for lookup in LOOKUPS:
            name = f"{column}{lookup}"
            answers = [admin.get(page, **{name: guess}) for guess in guesses]
            kinds = {(one.status_code, one.get("Location")) for one in answers}
            # Refused by Django as a lookup, or by the field as one that it has not.
            assert kinds <= {(400, None), (302, f"{url(page)}?e=1")}, name
            assert len(kinds) == 1


def test_c3_2_nothing_in_the_logs_of_the_admin(
    full: Secrets, admin: Desk, provider: Any
) -> None:
    secret = "secret-that-was-entered-4c1f9d"
    admin.submit("provider_change", provider.pk, new_client_secret=secret)
    assert Permission.objects.exists()
    page = admin.get("provider_history", provider.pk)
    assert b"Client secret" in page.content
    assert Secrets({*full, secret}).found_in(page=page.content) == []
