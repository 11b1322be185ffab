"""No serialiser, form or cache carries a sealed column away."""

from __future__ import annotations

import copy
import json
import pickle

import pytest
from django.core import serializers
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.core.serializers.json import DjangoJSONEncoder
from django.forms import ModelForm, modelform_factory
from django.forms.models import model_to_dict
from django.test import TestCase

from oauth_accounts.fields import SEALED_FIELDS, Sealed, Secret
from oauth_accounts.models import ConnectedAccount, Provider
from oauth_accounts.testing.factories import ConnectedAccountFactory, ProviderFactory
from tests.rows import again, stored

pytestmark = [pytest.mark.faces, pytest.mark.django_db]
PLAIN = "plain-access"
FORMATS = ["json", "jsonl", "xml", "python"]


@pytest.fixture
def account():
    return again(ConnectedAccountFactory(access_token=PLAIN))


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("model", [ConnectedAccount, Provider])
def test_serializers_refuse(account, format_, model):
    with pytest.raises(TypeError, match="is sealed and cannot be serialised"):
        serializers.serialize(format_, model.objects.all())


@pytest.mark.parametrize("format_", FORMATS)
def test_serializers_refuse_an_instance_that_was_never_read(format_):
    account = ConnectedAccount(provider=ProviderFactory(), uid="1", access_token=PLAIN)

    with pytest.raises(TypeError, match="is sealed and cannot be serialised"):
        serializers.serialize(format_, [account])


def test_serializers_take_the_other_columns(account):
    text = serializers.serialize("json", [account], fields=["uid", "label"])

    assert json.loads(text)[0]["fields"] == {"uid": account.uid, "label": account.label}


def test_columns_without_secrets_are_serialised(account):
    public = ProviderFactory(client_secret=None, token_endpoint_auth_method="none")

    text = serializers.serialize("json", [public], fields=["slug", "client_secret"])

    assert json.loads(text)[0]["fields"] == {"slug": public.slug, "client_secret": None}


def test_a_provider_without_secrets_has_a_pin_all_the_same(account):
    public = ProviderFactory(client_secret=None, token_endpoint_auth_method="none")

    with pytest.raises(TypeError, match="pinned_addresses is sealed"):
        serializers.serialize("json", [public])


def test_dumpdata_refuses_and_writes_no_token(account, capsys, tmp_path):
    target = tmp_path / "dump.json"

    with pytest.raises(CommandError, match="sealed and cannot be serialised"):
        call_command("dumpdata", "oauth_accounts", output=str(target))
    with pytest.raises(CommandError, match="sealed and cannot be serialised"):
        call_command("dumpdata", "oauth_accounts.ConnectedAccount")

    written = capsys.readouterr().out + (target.read_text() if target.exists() else "")
    assert "gAAAA" not in written
    assert PLAIN not in written


def test_model_to_dict_and_json_of_it(account):
    values = model_to_dict(account)

    assert isinstance(values["access_token"], Sealed)
    assert PLAIN not in repr(values)
    assert "gAAAA" not in repr(values)
    with pytest.raises(TypeError):
        json.dumps({"token": values["access_token"]}, cls=DjangoJSONEncoder)


def test_model_to_dict_of_an_unsaved_instance():
    account = ConnectedAccount(uid="1", access_token=PLAIN)

    assert PLAIN not in repr(model_to_dict(account))


def test_no_form_field_is_made_and_a_form_keeps_the_bytes(account):
    provider = account.provider
    before = stored(provider, "client_secret")
    whole = modelform_factory(Provider, fields="__all__")(instance=provider)
    assert "client_secret" not in whole.fields
    assert "gAAAA" not in whole.as_p()
    assert "sealed" not in whole.as_p()

    form_class = modelform_factory(Provider, fields=["name", "client_secret"])
    form_class({"name": "new", "client_secret": "posted"}, instance=provider).save()

    assert stored(provider, "client_secret") == before
    assert again(provider).name == "new"


def test_a_form_cannot_be_given_a_token(account):
    class Form(ModelForm):
        class Meta:
            model = ConnectedAccount
            fields = ["label", *SEALED_FIELDS]

    form = Form(instance=account, data={"label": "new", "access_token": "posted"})

    assert list(form.fields) == ["label"]
    form.save()
    assert again(account).reveal("access_token") == Secret(PLAIN)


def test_values_and_values_list(account):
    [row] = ConnectedAccount.objects.values("pk", "access_token", "id_token")
    [(listed,)] = ConnectedAccount.objects.values_list("access_token")
    [flat] = ConnectedAccount.objects.values_list("access_token", flat=True)
    [named] = ConnectedAccount.objects.values_list("access_token", named=True)
    related = Provider.objects.values_list("accounts__access_token", flat=True).get()

    for value in (row["access_token"], listed, flat, named.access_token, related):
        assert isinstance(value, Sealed)
        assert repr(value) == "<sealed>"
    assert row["id_token"] is None
    with pytest.raises(TypeError):
        json.dumps(row["access_token"])


def test_pickle_and_the_cache(account):
    queryset = ConnectedAccount.objects.all()

    for carried in (account, [account], list(queryset.values()), {"a": account}):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(carried)
        with pytest.raises(TypeError, match="cannot be pickled"):
            cache.set("key", carried)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(queryset)


def test_what_holds_no_secret_is_pickled(account):
    light = ConnectedAccount.objects.defer(*SEALED_FIELDS).get()

    assert pickle.loads(pickle.dumps(light)).pk == account.pk  # noqa: S301


def test_copies_of_an_instance_share_the_sealed_value(account):
    for copied in (copy.copy(account), copy.deepcopy(account)):
        assert copied.access_token is account.access_token
        assert copied.reveal("access_token") == Secret(PLAIN)


def test_repr_and_str(account):
    for text in (repr(account), str(account), f"{account}", repr(account.__dict__)):
        assert PLAIN not in text
        assert "gAAAA" not in text


class SetUpTestDataTests(TestCase):
    """Django copies what setUpTestData() makes, deeply, for each test."""

    @classmethod
    def setUpTestData(cls):
        cls.account = ConnectedAccountFactory(access_token=PLAIN)

    def test_the_account_can_be_used(self):
        assert self.account.get_access_token() == PLAIN

    def test_and_used_again(self):
        self.account.access_token = None
        assert again(self.account).get_access_token() == PLAIN
