"""Everything sealed comes under the newest key, and nothing else is touched."""

from __future__ import annotations

import gc
import sys
from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import connections

from oauth_accounts import clock, fields, keyring, rotate, sealed_rows
from oauth_accounts.fields import SEALED_FIELDS, SealedTextField, Secret
from oauth_accounts.models import (
    AccountEvent,
    AuthorizationAttempt,
    ConnectedAccount,
    PendingRevocation,
    Provider,
    UnreadAnswer,
)
from oauth_accounts.rotate import Count
from tests.faults.workers import Lock
from tests.rows import again, store, stored

NEXT = "the-key-that-comes-after-the-present-one-4e2d97"
LOST = "a-key-that-was-lost-and-is-found-again-b81f60"
OTHER = "a-key-between-the-old-one-and-the-next-77c1a0"
# What makes a row of each model that has sealed columns.
TEXT = "a text that is sealed"


def sealed_columns():
    return [
        (model, field.name)
        for model in apps.get_app_config("oauth_accounts").get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, SealedTextField)
    ]


def make_row(model, account):
    """Make a row of a model with something in every sealed column."""
    values = {
        ConnectedAccount: {"provider": account.provider, "uid": "sealed"},
        Provider: {"slug": "sealed", "name": "Sealed"},
        PendingRevocation: {"provider": account.provider, "account_key": account.pk},
        UnreadAnswer: {"account": account},
        AuthorizationAttempt: {
            "state_hash": "1",
            "browser_hash": "2",
            "user": account.owner,
            "provider": account.provider,
        },
    }[model]
    row = model(**values)
    for found, name in sealed_columns():
        if found is model:
            setattr(row, name, Secret(TEXT))
    row.save()
    return row


def text_of(row, name):
    return fields.reveal(getattr(row, name), row.sealing_context(name)).get_value()


@pytest.fixture
def next_key(settings):
    settings.FERNET_KEYS = [NEXT, *settings.FERNET_KEYS]


def under(key_id, **filters):
    return ConnectedAccount.objects.filter(key_id=key_id, **filters).count()


class TestRun:
    @pytest.mark.parametrize(("model", "name"), sealed_columns())
    def test_a8_4_no_sealed_column_is_forgotten(self, account, settings, model, name):
        """Also one that is added later: the columns are found by their class."""
        row = make_row(model, account)
        settings.FERNET_KEYS = [NEXT, *settings.FERNET_KEYS]

        rotate.run()

        settings.FERNET_KEYS = [NEXT]
        assert text_of(again(row), name) == TEXT

    def test_c5_one_run_is_told_once(self, make_account, settings):
        for number in range(5):
            make_account(f"user-{number}")
        settings.FERNET_KEYS = [NEXT, *settings.FERNET_KEYS]
        seen = []

        result = rotate.run(batch_size=2, progress=seen.append)

        assert (result.resealed, result.undecryptable) == (6, 0)
        assert seen == [2, 4, 5, 6]
        assert under(keyring.current_key_id()) == 5
        event = AccountEvent.objects.get(kind="keys_rotated")
        assert event.reason == keyring.current_key_id()
        assert event.actor is event.account is event.provider is None

    def test_c5_a_second_run_has_nothing_to_do(self, account, next_key):
        rotate.run()
        before = [stored(account, name) for name in SEALED_FIELDS]
        secret = stored(account.provider, "client_secret")

        assert rotate.run().resealed == 0
        assert [stored(account, name) for name in SEALED_FIELDS] == before
        assert stored(account.provider, "client_secret") == secret
        assert AccountEvent.objects.filter(kind="keys_rotated").count() == 1

    def test_nothing_but_the_key_is_changed(self, account, next_key):
        before = ConnectedAccount.objects.values().get()
        sealed = {"access_token", "refresh_token", "key_id"}

        rotate.run()

        after = ConnectedAccount.objects.values().get()
        assert {n for n in before if before[n] != after[n]} == sealed

    def test_a_dry_run_writes_nothing(self, account, next_key, settings):
        account.provider.max_refreshes_per_minute = 7
        before = ConnectedAccount.objects.values().get()

        result = rotate.run(dry_run=True)

        assert (result.resealed, result.undecryptable) == (2, 0)
        assert ConnectedAccount.objects.values().get() == before
        assert not AccountEvent.objects.exists()

    def test_a_row_without_tokens_is_not_looked_at(self, account, next_key):
        account.revoke(reason="at_provider")

        assert rotate.count_rows() == 1  # the provider
        assert rotate.run().resealed == 1

    def test_an_exception_of_the_progress_ends_it(self, make_account, settings):
        for number in range(6):
            make_account(f"user-{number}")
        old = keyring.current_key_id()
        settings.FERNET_KEYS = [NEXT, *settings.FERNET_KEYS]

        def stop(done):
            raise KeyboardInterrupt

        usual, frozen = sys.getswitchinterval(), gc.get_freeze_count()
        with pytest.raises(KeyboardInterrupt):
            rotate.run(batch_size=2, progress=stop)
        assert sys.getswitchinterval() == usual
        assert gc.get_freeze_count() == frozen

        assert (under(keyring.current_key_id()), under(old)) == (2, 4)
        assert rotate.run(batch_size=2).resealed == 5

    def test_what_a_server_has_frozen_for_its_children_stays_so(
        self, account, next_key
    ):
        gc.freeze()
        try:
            rotate.run()
            assert gc.get_freeze_count()
        finally:
            gc.unfreeze()


class TestUndecryptable:
    @pytest.fixture
    def lost(self, make_account, settings):
        """An account whose key is missing."""
        keys = settings.FERNET_KEYS
        settings.FERNET_KEYS = [LOST]
        account = make_account("lost")
        settings.FERNET_KEYS = keys
        return account

    def test_e36_what_does_not_open_is_left_as_it_is(self, account, lost, next_key):
        before = [stored(lost, name) for name in SEALED_FIELDS]
        key_id = lost.key_id

        result = rotate.run()

        assert result.undecryptable == 1
        assert [stored(lost, name) for name in SEALED_FIELDS] == before
        assert again(lost).key_id == key_id
        assert again(account).key_id == keyring.current_key_id()

    def test_e36_it_is_brought_along_when_the_key_is_back(self, lost, settings):
        settings.FERNET_KEYS = [NEXT, *settings.FERNET_KEYS, LOST]

        assert rotate.run().undecryptable == 0

        settings.FERNET_KEYS = [NEXT]
        assert again(lost).reveal("access_token")

    def test_c5_an_old_key_that_was_dropped_too_early(self, account, settings):
        old = settings.FERNET_KEYS
        settings.FERNET_KEYS = [NEXT]
        assert again(account).is_undecryptable()
        assert rotate.run().undecryptable == 2

        settings.FERNET_KEYS = [NEXT, *old]
        assert not again(account).is_undecryptable()
        assert rotate.run().undecryptable == 0
        settings.FERNET_KEYS = [NEXT]
        assert not again(account).is_undecryptable()

    def test_the_rest_of_such_a_row_comes_along(self, account, next_key, settings):
        """Its key is dropped next, and what it held would be lost as well."""
        key_id = account.key_id
        store(account, "access_token", b"gAAAA-damaged, and \x00\xff no text")

        assert rotate.run().undecryptable == 1
        assert rotate.run().resealed == 0

        row = again(account)
        assert stored(account) == b"gAAAA-damaged, and \x00\xff no text"
        assert row.key_id == key_id
        settings.FERNET_KEYS = [NEXT]
        assert row.reveal("refresh_token")

    def test_so_it_is_with_tables_that_name_no_key(self, account, next_key, settings):
        provider = account.provider
        provider.private_key = Secret(TEXT)
        provider.save()
        store(provider, "client_secret", b"damaged")
        settings.FERNET_KEYS = [OTHER, NEXT]

        assert rotate.run().undecryptable == 2

        settings.FERNET_KEYS = [OTHER]
        assert stored(provider, "client_secret") == b"damaged"
        assert again(provider).reveal("private_key") == Secret(TEXT)

    def test_a_key_that_the_row_is_wrong_about(self, account, next_key):
        """Nothing is believed that does not open."""
        ConnectedAccount.objects.update(key_id="deadbeef")

        assert rotate.run().undecryptable == 0
        assert again(account).key_id == keyring.current_key_id()


class TestMeanwhile:
    """What others write between the reading and the writing of a row."""

    @pytest.fixture
    def between(self, monkeypatch):
        """Do something once a batch has been read and before it is written."""

        def install(action):
            swap, actions = sealed_rows.swap, [action]

            def interrupted(table, changes):
                if actions:
                    actions.pop()()
                return swap(table, changes)

            monkeypatch.setattr(sealed_rows, "swap", interrupted)
            monkeypatch.setattr(rotate, "PAUSE_SECONDS", 0.01)

        return install

    def test_e41_a_refresh_keeps_its_newer_tokens(
        self, account, next_key, between, server
    ):
        between(lambda: again(account).refresh())

        rotate.run()

        row = again(account)
        assert (row.generation, row.key_id) == (1, keyring.current_key_id())
        assert server.is_live(row.reveal("access_token").get_value())
        assert server.is_live(row.reveal("refresh_token").get_value())

    def test_e41_so_does_one_of_a_worker_with_the_old_keys(
        self, account, settings, between, server
    ):
        """Its row is old again, and the next look at it brings it along."""
        old = settings.FERNET_KEYS

        def refresh():
            keys, settings.FERNET_KEYS = settings.FERNET_KEYS, [*old, NEXT]
            again(account).refresh()
            settings.FERNET_KEYS = keys

        settings.FERNET_KEYS = [NEXT, *old]
        between(refresh)

        rotate.run()

        settings.FERNET_KEYS = [NEXT]
        row = again(account)
        assert row.generation == 1
        assert server.is_live(row.reveal("refresh_token").get_value())

    def test_c5_two_runs_at_once(self, account, next_key, between):
        between(rotate.run)

        assert rotate.run().resealed == 0  # the other one was faster
        assert again(account).key_id == keyring.current_key_id()

    def test_a_row_that_is_revoked_keeps_no_token(self, account, next_key, between):
        between(lambda: again(account).revoke())

        rotate.run()

        assert again(account).access_token is None
        pending = PendingRevocation.objects.get()
        assert keyring.key_id_of(stored(pending)) == keyring.current_key_id()

    def test_c5_a_row_that_was_read_before_is_saved_after(self, account, settings):
        """It brings nothing back that only the old key opens."""
        account.api_base_url = "https://api.example/"
        account.save()
        stale = again(account)
        stale.label = "new label"
        settings.FERNET_KEYS = [NEXT, *settings.FERNET_KEYS]

        rotate.run()
        stale.save()

        settings.FERNET_KEYS = [NEXT]
        row = again(account)
        assert row.label == "new label"
        assert row.altered_columns() == []
        row.api_base_url = "https://api.example/v2/"
        row.save()
        assert again(account).altered_columns() == []

    def test_a_secret_that_is_entered_anew_stays(self, provider, next_key, monkeypatch):
        seal = rotate._seal

        def enter(ring, batch):
            twin = again(provider)
            if twin.reveal("client_secret") != Secret("entered"):
                twin.client_secret = "entered"
                twin.save()
            connections.close_all()
            return seal(ring, batch)

        monkeypatch.setattr(rotate, "_seal", enter)
        monkeypatch.setattr(rotate, "PAUSE_SECONDS", 0.01)

        rotate.run()

        assert again(provider).reveal("client_secret") == Secret("entered")

    @pytest.mark.postgres
    @pytest.mark.mariadb
    def test_c5_locked_rows_are_not_waited_for(
        self, make_account, settings, monkeypatch
    ):
        accounts = [make_account(f"user-{number}") for number in range(3)]
        settings.FERNET_KEYS = [NEXT, *settings.FERNET_KEYS]
        pauses = []
        monkeypatch.setattr(rotate.time, "sleep", pauses.append)
        held = Lock(accounts[1])
        held.take()
        try:
            assert rotate.run().resealed == 3  # two accounts and the provider
        finally:
            held.release()

        assert len(pauses) == rotate.PASSES
        assert rotate.run().resealed == 1


class TestCounts:
    def test_accounts_by_the_key_they_name_and_others_by_what_opens_them(
        self, make_account, provider, settings
    ):
        old = keyring.current_key_id()
        make_account("old")
        settings.FERNET_KEYS = [LOST]
        lost = keyring.current_key_id()
        make_row(PendingRevocation, make_account("lost"))
        settings.FERNET_KEYS = [
            NEXT,
            "tests-only-sealing-key-made-up-for-this-suite-52f0c3a9e8",
        ]
        new = keyring.current_key_id()
        account = make_account("new")
        make_row(UnreadAnswer, account)
        make_row(Provider, account)

        assert rotate.count_keys() == [
            Count(label="connected accounts", key_id=new, age="newest", count=1),
            Count(label="connected accounts", key_id=old, age="older", count=1),
            Count(label="connected accounts", key_id=lost, age="unknown", count=1),
            Count(label="providers", key_id=new, age="newest", count=1),
            Count(label="providers", key_id=old, age="older", count=1),
            Count(label="pending revocations", key_id=None, age="unknown", count=1),
            Count(label="unread answers", key_id=new, age="newest", count=1),
        ]

    def test_a_row_counts_for_the_oldest_key_it_needs(self, provider, settings):
        old = keyring.current_key_id()
        settings.FERNET_KEYS = [NEXT, *settings.FERNET_KEYS]
        provider.private_key = Secret(TEXT)
        provider.save()

        [count] = rotate.count_keys()
        assert (count.key_id, count.age) == (old, "older")


def test_c5_an_attempt_under_way_survives_the_old_key(provider, settings):
    """It is sealed anew like everything else: ten minutes are a long time to wait."""
    attempt = AuthorizationAttempt.objects.create(
        state_hash="1",
        browser_hash="2",
        user=User.objects.create_user("ada"),
        provider=provider,
        code_verifier=Secret(TEXT),
        expires_at=clock.utcnow() + timedelta(minutes=5),
    )
    settings.FERNET_KEYS = [NEXT, *settings.FERNET_KEYS]
    rotate.run()
    settings.FERNET_KEYS = [NEXT]
    assert again(attempt).reveal("code_verifier") == Secret(TEXT)
