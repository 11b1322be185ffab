"""C3: what serialises whole rows: Django REST framework, CSV, copies, caches."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from django.apps import apps
from django.core.cache import cache
from django.db.models import Model
from django.forms.models import model_to_dict

from oauth_accounts.admin.readonly import sealed_columns
from oauth_accounts.fields import Sealed
from oauth_accounts.models import ConnectedAccount
from tests.leaks.markers import Secrets
from tests.leaks.test_dumps import full, sealed_text
from tests.rows import stored

# DRF registers encoders for models when it is imported; it needs no app for serialisers.
from rest_framework import renderers, serializers  # isort: skip

pytestmark = pytest.mark.faces

__all__ = ["full"]

MODELS = [
    model
    for model in apps.get_app_config("oauth_accounts").get_models()
    if sealed_columns(model)
]


def serializer_of(of: type[Model]) -> type[serializers.ModelSerializer[Any]]:
    class Serializer(serializers.ModelSerializer[Any]):
        class Meta:
            model = of
            fields = "__all__"

    return Serializer


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_c3_8_rest_framework_with_all_fields(full: Secrets, model: type[Model]) -> None:
    rows = model._default_manager.all()
    data = serializer_of(model)(rows, many=True).data
    assert len(data) >= 1
    for renderer in (renderers.JSONRenderer(), renderers.AdminRenderer()):
        text = json.dumps(data, default=str)
        if isinstance(renderer, renderers.JSONRenderer):
            text += renderer.render(data).decode()
        assert full.found_in(text=text) == []
        assert sealed_text() not in text
    for row in data:
        shown = {row[name] for name in sealed_columns(model)}
        assert shown <= {None, "<sealed>"}


def test_c3_8_a_serialiser_cannot_change_a_stored_token(full: Secrets) -> None:
    account = ConnectedAccount.objects.filter(access_token__isnull=False).get()
    before = stored(account)
    changed = serializer_of(ConnectedAccount)(
        account, data={"access_token": "posted", "label": "new"}, partial=True
    )
    assert changed.is_valid()
    changed.save()
    assert stored(account) == before
    assert ConnectedAccount.objects.get(pk=account.pk).label == "new"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_c3_8_an_export_as_csv(full: Secrets, model: type[Model]) -> None:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerows(model._default_manager.values_list())
    writer.writerows(
        model_to_dict(row).values() for row in model._default_manager.all()
    )
    text = out.getvalue()
    assert "<sealed>" in text
    assert full.found_in(text=text) == []
    assert sealed_text() not in text


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_c3_8_a_cache_takes_no_row_with_a_secret(
    full: Secrets, model: type[Model]
) -> None:
    names = sealed_columns(model)
    (row, *_more) = (
        row
        for row in model._default_manager.all()
        if any(isinstance(getattr(row, name), Sealed) for name in names)
    )
    with pytest.raises(TypeError, match="cannot be pickled"):
        cache.set(model.__name__, row)
    assert cache.get(model.__name__) is None
