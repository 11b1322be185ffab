"""A provider that really moved is followed by what was sealed for where it was."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from django.db import connections

from oauth_accounts import fields, keyring, lease, outbox, places, rebind, sweep
from oauth_accounts.exceptions import ProviderMisconfigured
from oauth_accounts.fields import Secret
from oauth_accounts.models import (
    AccountEvent,
    ConnectedAccount,
    PendingRevocation,
    Provider,
    UnreadAnswer,
)
from oauth_accounts.places import Binding
from tests.rows import again, alter, store, stored

OTHER_KEY = "another-sealing-key-made-up-for-this-test-8b2d6e13"
THIRD = Binding(iss="https://third.example", te="https://third.example")


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr(rebind, "GRACE_SECONDS", 0)
    monkeypatch.setattr(rebind, "PAUSE_SECONDS", 0.05)


@pytest.fixture
def old(provider):
    return places.binding_of(provider)


@pytest.fixture
def moved(provider, old):
    """The provider, whose issuer was changed by SQL; its server has not moved."""

    def move() -> Provider:
        alter(provider, issuer="https://renamed.example")
        return again(provider)

    return move


def no_progress(done):
    pass


def run(provider, old):
    secret = rebind.stored_secret(provider, "client_secret", old)
    lost = rebind.settle(provider, old, secret=secret, reason="moved")
    return lost, rebind.follow(provider, old, no_progress)


def live(account):
    return again(account).session().get("me").status_code == 200


class TestFollow:
    def test_everything_is_sealed_for_the_new_place(
        self, make_account, server, provider, moved, old
    ):
        accounts = [make_account(f"user-{n}", expires_in=3000) for n in range(3)]
        gone = make_account("gone")
        gone.revoke()
        UnreadAnswer.objects.create(account=accounts[0], body=Secret("unread"))
        provider.previous_client_secret = "previous"
        provider.save()
        now = moved()
        with pytest.raises(ProviderMisconfigured):
            again(accounts[0]).refresh()

        lost, done = run(now, old)

        assert lost == []
        assert (done.sealed, done.enabled) == (5, 1)
        assert (done.left, done.unreadable, done.busy) == (Counter(), 0, 0)
        now = again(provider)
        now.require_pinned()
        assert now.reveal("previous_client_secret") == Secret("previous")
        for account in accounts:
            again(account).refresh()
            assert live(account)
        assert UnreadAnswer.objects.get().reveal("body") == Secret("unread")
        outbox.deliver_due()
        assert PendingRevocation.objects.get().status == "confirmed"
        assert server.replays == 0

    def test_it_is_an_event_and_so_is_each_account(
        self, make_account, provider, moved, old
    ):
        account = make_account()
        now = moved()
        sweep.run()
        assert again(account).status_reason == "provider_changed"
        now.pause(900, "invalid_client")

        run(now, old)

        found = AccountEvent.objects.filter(kind="provider_rebound")
        assert [event.reason for event in found] == ["moved"]
        assert found[0].provider == provider
        enabled = AccountEvent.objects.get(kind="enabled")
        assert (enabled.reason, enabled.account) == ("provider_rebound", account)
        assert not again(provider).is_paused()
        assert sweep.run().refreshed == 1

    def test_a_second_run_has_nothing_to_do(self, make_account, moved, old):
        account = make_account()
        now = moved()
        run(now, old)
        before = stored(account, "refresh_token")

        _lost, done = run(again(now), old)

        assert (done.sealed, done.enabled) == (0, 0)
        assert stored(account, "refresh_token") == before

    def test_what_did_not_move_is_vouched_for(self, make_account, provider, old):
        """Another address changed by SQL, and the tokens are sealed as they should be."""
        account = make_account(expires_in=3000)
        alter(provider, authorization_endpoint="https://login.example/authorize")
        with pytest.raises(ProviderMisconfigured):
            again(account).session()
        before = stored(account, "refresh_token")

        _lost, done = run(again(provider), old)

        assert (done.sealed, done.enabled) == (0, 1)
        assert stored(account, "refresh_token") == before
        assert live(account)

    def test_other_reasons_to_be_stopped_stay(self, make_account, moved, old):
        account = make_account()
        ConnectedAccount.objects.update(
            status="disabled", status_reason="owner_inactive", refresh_due_at=None
        )

        run(moved(), old)

        assert again(account).status_reason == "owner_inactive"

    def test_who_needed_its_owner_before_still_does(self, make_account, moved, old):
        waiting, other = make_account(), make_account(uid="other")
        for account in (waiting, other):
            if account is waiting:
                account.require_reauth(reason="identity_changed")
            account.disable(reason="provider_changed")

        run(moved(), old)

        assert again(waiting).status == "needs_reauth"
        assert again(waiting).status_reason == "identity_changed"
        assert again(waiting).refresh_due_at is None
        assert again(other).status == "active"

    def test_other_providers_are_none_of_its_business(self, make_account, moved, old):
        account = make_account()
        other = Provider.objects.create(slug="other", issuer=old.iss)
        ConnectedAccount.objects.update(provider=other)
        before = stored(account, "refresh_token")

        run(moved(), old)

        assert stored(account, "refresh_token") == before

    def test_in_batches(self, make_account, moved, old, monkeypatch):
        monkeypatch.setattr(places, "BATCH_SIZE", 2)
        for number in range(5):
            make_account(f"user-{number}")
        now, seen = moved(), []
        rebind.settle(now, old, secret=None, reason="moved")

        done = rebind.follow(now, old, seen.append)

        assert done.sealed == 5
        assert seen == [2, 4, 5]
        assert places.count(now) == 5

    def test_the_rows_come_under_the_newest_key(
        self, make_account, moved, old, settings
    ):
        account = make_account(api_base_url="https://tenant.example/")
        old_key = settings.FERNET_KEYS
        settings.FERNET_KEYS = [OTHER_KEY, *old_key]

        run(moved(), old)

        settings.FERNET_KEYS = [OTHER_KEY]
        row = again(account)
        assert row.key_id == keyring.current_key_id()
        row.require_pinned()
        row.provider.require_pinned()
        assert row.reveal("refresh_token").get_value().startswith("rt-")


class TestLeft:
    def test_what_was_sealed_for_a_third_place(self, make_account, provider, moved):
        old = places.binding_of(provider)
        kept, other = make_account("kept"), make_account("other")
        place = {**other.sealing_context("refresh_token"), **THIRD._asdict()}
        foreign = fields.seal("foreign", place)
        other.stored_row().update(refresh_token=foreign, access_token=None)

        _lost, done = run(moved(), old)

        assert done.sealed == 1
        assert done.left == Counter({THIRD: 1})
        assert stored(other, "refresh_token") == foreign.ciphertext
        assert again(kept).reveal("refresh_token")

    @pytest.mark.parametrize("how", ["bytes", "moved here"])
    def test_what_does_not_open(self, make_account, moved, old, how):
        account, other = make_account("one"), make_account("two")
        strange = b"rubbish" if how == "bytes" else stored(other, "refresh_token")
        store(account, "refresh_token", strange)

        _lost, done = run(moved(), old)

        assert (done.sealed, done.unreadable) == (1, 1)
        assert stored(account, "refresh_token") == strange

    def test_secrets_that_cannot_be_read(self, provider, moved, old):
        provider.private_key = "key"
        provider.save()
        store(provider, "private_key", b"rubbish")
        now = moved()
        store(now, "client_secret", b"rubbish")
        now = again(now)
        assert rebind.stored_secret(now, "client_secret", old) is None

        lost = rebind.settle(now, old, secret=Secret("entered"), reason="moved")

        assert lost == ["private_key"]
        assert again(now).reveal("client_secret") == Secret("entered")

    def test_a_secret_of_a_third_place_is_not_taken(self, provider, moved, old):
        assert rebind.stored_secret(provider, "client_secret", THIRD) is None
        assert rebind.stored_secret(provider, "client_secret", THIRD, old)

    def test_an_api_pin_that_does_not_open_stays(self, make_account, moved, old):
        account = make_account(api_base_url="https://tenant.example/")
        store(account, "pinned_api_base_url", b"rubbish")

        _lost, done = run(moved(), old)

        assert done.sealed == 1
        assert stored(account, "pinned_api_base_url") == b"rubbish"


class TestBesideOthers:
    @pytest.fixture
    def refreshing(self, make_account, server):
        """An account whose refresh is under way until `go_on` is set."""
        account = make_account()
        began, go_on = threading.Event(), threading.Event()

        def wait(request):
            began.set()
            go_on.wait(30)
            connections.close_all()

        def refresh():
            try:
                again(account).refresh()
            finally:
                connections.close_all()

        server.on_token_request = wait
        refresher = threading.Thread(target=refresh)
        refresher.start()
        assert began.wait(30)
        yield account, go_on
        refresher.join()

    def test_a_refresh_under_way_keeps_its_token(
        self, refreshing, server, provider, moved, old
    ):
        """It began before the move; what it gets is sealed for the old place, and follows."""
        account, go_on = refreshing
        now = moved()
        threading.Timer(1, go_on.set).start()

        _lost, done = run(now, old)

        row = again(account)
        assert (done.sealed, done.busy, row.generation) == (1, 0, 1)
        assert server.is_live(row.reveal("refresh_token").get_value())
        server.on_token_request = None
        row.refresh()
        assert server.replays == 0

    def test_what_is_held_all_the_time_is_told(
        self, make_account, moved, old, monkeypatch
    ):
        monkeypatch.setattr(rebind, "PATIENCE_SECONDS", 0.2)
        held, waiting = make_account("held"), make_account("waiting")
        waiting.revoke()
        assert lease.take(again(held))
        PendingRevocation.objects.update(lease=held.pk, lease_until=lease.end())
        before = stored(held, "refresh_token")

        _lost, done = run(moved(), old)

        assert (done.sealed, done.busy) == (0, 2)
        assert stored(held, "refresh_token") == before

    def test_a_write_that_came_between_is_not_undone(
        self, make_account, moved, old, monkeypatch
    ):
        account = make_account()
        now = moved()
        read = places.Table.read

        def read_and_lose(self, rows):
            batch = read(self, rows)
            monkeypatch.setattr(places.Table, "read", read)
            values = {"generation": 7, "refresh_token": None}
            ConnectedAccount.objects.update(**values)
            return batch

        monkeypatch.setattr(places.Table, "read", read_and_lose)

        _lost, done = run(now, old)

        row = again(account)
        assert (done.sealed, row.generation, row.refresh_token) == (1, 7, None)
        assert row.reveal("access_token")


class TestSurvey:
    def test_where_everything_was_sealed_for(self, make_account, provider, old):
        for number in range(3):
            make_account(f"user-{number}")
        make_account("gone").revoke()
        store(make_account("broken"), "access_token", b"rubbish")
        seen = []

        found = places.survey(provider, seen.append)

        assert found.accounts == Counter({old: 3})
        assert found.others == Counter({old: 1})
        assert found.unreadable == 1
        assert found.bindings() == [old]
        assert seen == [4, 5]
