"""What must not happen to a sealed column, by any road Django has (on every database)."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.db.models import Case, F, Value, When
from django.db.models.expressions import RawSQL, Subquery
from django.db.models.functions import Cast, Coalesce, Concat, Upper

from oauth_accounts import fields
from oauth_accounts.exceptions import TokenUndecryptable
from oauth_accounts.fields import Sealed, SealedTextField, Secret
from oauth_accounts.models import (
    AccountEvent,
    ConnectedAccount,
    PendingRevocation,
    Provider,
)
from oauth_accounts.models.token_columns import SEALED_FIELDS
from oauth_accounts.testing.factories import ConnectedAccountFactory, ProviderFactory

pytestmark = pytest.mark.django_db
FOREIGN_KEYS = ["sealing-key-of-somebody-else-3f9d2c7b16a80e54"]


def stored(row, name="access_token") -> bytes | None:
    """Return the bytes of a column as they lie in the database."""
    with connection.cursor() as cursor:
        table = connection.ops.quote_name(row._meta.db_table)
        cursor.execute(
            f"SELECT {name} FROM {table} WHERE id = %s",  # noqa: S608
            [type(row)._meta.pk.get_db_prep_value(row.pk, connection)],
        )
        [value] = cursor.fetchone()
    return None if value is None else bytes(value)


def store(row, name, value: bytes | None) -> None:
    """Write bytes to a column as somebody with access to the database would."""
    with connection.cursor() as cursor:
        table = connection.ops.quote_name(row._meta.db_table)
        cursor.execute(
            f"UPDATE {table} SET {name} = %s WHERE id = %s",  # noqa: S608
            [
                None if value is None else connection.Database.Binary(value),
                type(row)._meta.pk.get_db_prep_value(row.pk, connection),
            ],
        )


def again(row):
    return type(row).objects.get(pk=row.pk)


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


class TestLazy:
    """Rows that no key opens are rows like others, until somebody wants the token."""

    @pytest.fixture
    def bad(self, account):
        bad = ConnectedAccountFactory(provider=account.provider, label="bad")
        store(bad, "access_token", b"not a Fernet token")
        store(bad, "refresh_token", b"\xff\x00\xfe")
        return again(bad)

    def test_they_are_listed_counted_and_iterated(self, account, bad):
        assert ConnectedAccount.objects.count() == 2
        assert [
            a.pk for a in ConnectedAccount.objects.order_by("created_at").iterator()
        ] == [
            account.pk,
            bad.pk,
        ]
        assert str(bad) == "bad"
        assert repr(bad)
        assert bad.is_undecryptable()
        assert not again(account).is_undecryptable()

    def test_only_their_own_token_fails(self, account, bad):
        assert again(account).get_access_token() == "plain-access"
        with pytest.raises(TokenUndecryptable):
            bad.get_access_token()
        with pytest.raises(TokenUndecryptable):
            bad.reveal("refresh_token")

    def test_saving_them_keeps_the_bytes(self, bad):
        bad.label = "renamed"
        bad.save()
        bad.save(update_fields=["access_token"])

        assert stored(bad) == b"not a Fernet token"
        assert again(bad).label == "renamed"

    @pytest.mark.parametrize("how", ["instance", "queryset", "owner"])
    def test_they_are_deleted_and_their_bytes_wait_in_the_outbox(
        self, bad, how, django_user_model
    ):
        owner = django_user_model.objects.create(username="owner")
        ConnectedAccount.objects.filter(pk=bad.pk).update(owner=owner)
        deleted = {
            "instance": bad.delete,
            "queryset": ConnectedAccount.objects.filter(pk=bad.pk).delete,
            "owner": owner.delete,
        }
        key = bad.pk

        deleted[how]()

        assert not ConnectedAccount.objects.filter(pk=key).exists()
        pending = PendingRevocation.objects.get(account_key=key)
        assert stored(pending) == b"not a Fernet token"
        assert stored(pending, "refresh_token") == b"\xff\x00\xfe"
        assert AccountEvent.objects.filter(kind="deleted", account_key=key).exists()

    def test_they_are_revoked(self, bad):
        bad.revoke()

        assert again(bad).status == "revoked"
        assert stored(bad) is None
        assert stored(PendingRevocation.objects.get()) == b"not a Fernet token"

    def test_all_rows_are_undecryptable_while_the_key_is_away(self, account, settings):
        keys = settings.FERNET_KEYS
        before = stored(account)
        settings.FERNET_KEYS = FOREIGN_KEYS

        read = again(account)
        assert read.is_undecryptable()
        with pytest.raises(TokenUndecryptable):
            read.get_access_token()
        read.save()
        assert stored(account) == before

        settings.FERNET_KEYS = keys
        assert again(account).get_access_token() == "plain-access"

    def test_deferred_columns_are_not_read_by_saving(self, account):
        read = ConnectedAccount.objects.only("pk", "label").get(pk=account.pk)
        read.label = "renamed"

        read.save()

        assert again(account).label == "renamed"
        assert "access_token" in read.get_deferred_fields()


class TestStaleInstances:
    """E37: an instance that was read before a refresh saves no token and no state."""

    def test_save_writes_neither_tokens_nor_state(self, account):
        stale = again(account)
        ConnectedAccount.objects.update(
            access_token=fields.seal("newer", account.sealing_context("access_token")),
            refresh_token=fields.seal("nr", account.sealing_context("refresh_token")),
            generation=7,
            status="needs_reauth",
            status_reason="invalid_grant",
            refresh_due_at=None,
            failure_count=3,
        )

        stale.label, stale.metadata = "renamed", {"a": 1}
        stale.status, stale.generation = "active", 0
        stale.access_token = "stale"
        stale.save()

        read = again(account)
        assert read.reveal("access_token") == Secret("newer")
        assert read.reveal("refresh_token") == Secret("nr")
        assert (read.status, read.status_reason) == ("needs_reauth", "invalid_grant")
        assert (read.generation, read.failure_count) == (7, 3)
        assert (read.label, read.metadata) == ("renamed", {"a": 1})

    def test_only_what_is_named_is_written_of_the_engines_columns(self, account):
        account = again(account)
        account.access_token, account.refresh_token = "named", "unnamed"

        account.save(update_fields=["access_token"])

        assert again(account).reveal("access_token") == Secret("named")
        assert again(account).reveal("refresh_token") == Secret("plain-refresh")

    def test_update_fields_by_position_cannot_slip_through(self, account):
        account.access_token = "stale"

        with pytest.raises(TypeError, match="keyword arguments only"):
            account.save(False)

        assert again(account).reveal("access_token") == Secret("plain-access")

    def test_a_provider_keeps_its_secret(self):
        provider = ProviderFactory(client_secret="one")
        stale = again(provider)
        stale.name = "renamed"

        stale.save()

        assert again(provider).reveal("client_secret") == Secret("one")
        assert Provider.objects.get().name == "renamed"
