"""What must not happen to a sealed column, by any road Django has (on every database)."""

from __future__ import annotations

import pytest
from django.db import transaction
from django.db.models import Case, F, Value, When
from django.db.models.expressions import RawSQL, Subquery
from django.db.models.functions import Cast, Coalesce, Concat, Upper

from oauth_accounts import fields
from oauth_accounts.exceptions import TokenUndecryptable
from oauth_accounts.fields import SEALED_FIELDS, Sealed, SealedTextField, Secret
from oauth_accounts.models import (
    ConnectedAccount,
)
from oauth_accounts.testing.factories import ConnectedAccountFactory, ProviderFactory
from tests.rows import again, stored

pytestmark = pytest.mark.django_db
FOREIGN_KEYS = ["sealing-key-of-somebody-else-3f9d2c7b16a80e54"]


@pytest.fixture
def account():
    return ConnectedAccountFactory(
        access_token="plain-access", refresh_token="plain-refresh"
    )


class TestStoredBytes:
    def test_save_stores_ciphertext(self, account):
        for name, plain in (("access_token", b"access"), ("refresh_token", b"refresh")):
            assert stored(account, name).startswith(b"gAAAA")
            assert plain not in stored(account, name)

    def test_reading_gives_a_sealed_value_that_reveals(self, account):
        read = again(account)

        assert isinstance(read.access_token, Sealed)
        assert read.reveal("access_token") == Secret("plain-access")
        assert read.reveal("refresh_token") == Secret("plain-refresh")
        assert read.reveal("id_token") is None
        assert stored(account, "id_token") is None

    def test_bulk_create_seals(self):
        provider = ProviderFactory()
        accounts = [
            ConnectedAccount(
                provider=provider, uid=str(number), access_token=f"at-{number}"
            )
            for number in range(3)
        ]

        ConnectedAccount.objects.bulk_create(accounts)

        for account in ConnectedAccount.objects.all():
            assert stored(account).startswith(b"gAAAA")
            assert account.reveal("access_token") == Secret(f"at-{account.uid}")
            assert account.identity_key == account.compute_identity_key()
            assert account.key_id

    def test_a_secret_on_an_instance_is_sealed_too(self):
        provider = ProviderFactory(client_secret=Secret("top"))

        assert b"top" not in stored(provider, "client_secret")
        assert again(provider).reveal("client_secret") == Secret("top")

    def test_update_or_create_seals(self, account):
        ConnectedAccount.objects.update_or_create(
            pk=account.pk, defaults={"access_token": "newer"}
        )

        assert stored(account).startswith(b"gAAAA")
        assert again(account).reveal("access_token") == Secret("newer")

    def test_saving_an_untouched_row_leaves_every_byte(self, account):
        provider = account.provider
        before = [stored(account, name) for name in SEALED_FIELDS]
        secret = stored(provider, "client_secret")

        again(account).save()
        again(account).save(update_fields=SEALED_FIELDS)
        again(provider).save()

        assert [stored(account, name) for name in SEALED_FIELDS] == before
        assert stored(provider, "client_secret") == secret


class TestBulkUpdate:
    def test_sealed_values_arrive_unchanged(self, account):
        other = ConnectedAccountFactory(access_token="of-other")
        accounts = [again(account), again(other)]
        for one in accounts:
            one.access_token = fields.seal(
                f"new-{one.uid}", one.sealing_context("access_token")
            )
            one.refresh_token = None

        ConnectedAccount.objects.bulk_update(
            accounts, ["access_token", "refresh_token"]
        )

        for one in accounts:
            assert again(one).reveal("access_token") == Secret(f"new-{one.uid}")
            assert stored(one, "refresh_token") is None

    def test_values_as_they_were_read_stay_as_they_were(self, account):
        before = stored(account)

        ConnectedAccount.objects.bulk_update([again(account)], ["access_token"])

        assert stored(account) == before

    @pytest.mark.parametrize("value", ["plain-new", Secret("plain-new")])
    def test_a_plain_value_is_refused_and_nothing_is_stored(self, account, value):
        good, bad = again(ConnectedAccountFactory()), again(account)
        before = [stored(good), stored(bad)]
        good.access_token = fields.seal("x", good.sealing_context("access_token"))
        bad.access_token = value

        refused = pytest.raises(
            TypeError, match="access_token takes sealed values only"
        )
        with refused, transaction.atomic():
            ConnectedAccount.objects.bulk_update(
                [good, bad], ["access_token"], batch_size=1
            )

        assert [stored(good), stored(bad)] == before


SEALED = Value(Sealed(b"gAAAA-of-somebody"), output_field=SealedTextField())
REFUSED = {
    "str": "plain",
    "Secret": Secret("plain"),
    "Value without output field": Value(Sealed(b"gAAAA-of-somebody")),
    "Value of str": Value("plain"),
    "F of a plain column": F("label"),
    "F of a plain column of the provider": F("uid"),
    "Concat": Concat("access_token", Value("x")),
    "Concat of sealed": Concat(F("access_token"), F("refresh_token")),
    "Upper": Upper("access_token"),
    "RawSQL": RawSQL("'plain'", ()),
    "Case with a str": Case(When(uid="x", then=SEALED), default=Value("plain")),
    "When with a str": Case(When(uid="x", then=Value("plain")), default=SEALED),
    "Coalesce with a str": Coalesce(F("access_token"), Value("plain")),
    "Cast of a str": Cast(Value("plain"), SealedTextField()),
    "Cast of a plain column": Cast("label", SealedTextField()),
    "Subquery": Subquery(ConnectedAccount.objects.values("label")[:1]),
}


class TestUpdate:
    def test_a_sealed_value(self, account):
        sealed = fields.seal("new", account.sealing_context("access_token"))

        for value in (sealed, Value(sealed, output_field=SealedTextField())):
            ConnectedAccount.objects.update(access_token=value)

            assert stored(account) == sealed.ciphertext
        assert again(account).reveal("access_token") == Secret("new")

    @pytest.mark.parametrize("value", [None, Value(None)], ids=["None", "Value(None)"])
    def test_nothing(self, account, value):
        ConnectedAccount.objects.update(access_token=value)

        assert stored(account) is None

    def test_f_of_a_sealed_column_copies_the_bytes_and_they_do_not_open(self, account):
        ConnectedAccount.objects.update(access_token=F("refresh_token"))

        assert stored(account) == stored(account, "refresh_token")
        with pytest.raises(TokenUndecryptable):
            again(account).reveal("access_token")

    def test_f_of_the_column_itself_changes_nothing(self, account):
        before = stored(account)

        ConnectedAccount.objects.update(access_token=F("access_token"))

        assert stored(account) == before

    def test_case_when_and_coalesce_with_sealed_leaves(self, account):
        other = ConnectedAccountFactory()
        before = stored(other)
        sealed = fields.seal("new", account.sealing_context("access_token"))

        ConnectedAccount.objects.update(
            access_token=Case(
                When(pk=account.pk, then=Value(sealed, output_field=SealedTextField())),
                default=Coalesce(F("access_token"), F("refresh_token")),
            )
        )

        assert again(account).reveal("access_token") == Secret("new")
        assert stored(other) == before

    def test_cast_of_a_sealed_column(self, account):
        before = stored(account)

        ConnectedAccount.objects.update(
            access_token=Coalesce(F("access_token"), F("refresh_token"))
        )

        assert stored(account) == before

    @pytest.mark.parametrize("value", REFUSED)
    def test_what_could_be_plain_is_refused_and_nothing_is_stored(self, account, value):
        before = stored(account)

        with pytest.raises(TypeError, match="access_token takes"), transaction.atomic():
            ConnectedAccount.objects.update(access_token=REFUSED[value])

        assert stored(account) == before
