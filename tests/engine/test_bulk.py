"""Orders for many accounts: durable, resumable, and each account once."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from oauth_accounts import bulk, clock, sweep, tasks
from oauth_accounts.eligibility import obstacle
from oauth_accounts.models import (
    BulkAction,
    BulkItem,
    ConnectedAccount,
    Provider,
    purge_bulk_actions,
)
from oauth_accounts.testing.factories import ConnectedAccountFactory
from oauth_accounts.testing.server import Answer, FakeProvider

FOREVER = 1000.0


@pytest.fixture
def actor(transactional_db: None) -> User:
    return User.objects.create_user("root")


@pytest.fixture
def accounts(provider: Provider, server: FakeProvider) -> list[ConnectedAccount]:
    """Three accounts with tokens that the server knows."""
    made = []
    for number in range(3):
        access_token, refresh_token = server.issue(f"user-{number}")
        made.append(
            ConnectedAccountFactory(
                provider=provider,
                uid=f"user-{number}",
                access_token=access_token,
                refresh_token=refresh_token,
            )
        )
    return made


def order(kind: str, accounts: list[ConnectedAccount], actor: Any) -> BulkAction:
    return bulk.start(kind, [account.pk for account in accounts], actor)


def said(action: BulkAction) -> list[tuple[str, str]]:
    items = action.items.order_by("pk")
    return list(items.values_list("outcome", "reason"))


def is_finished(action: BulkAction) -> bool:
    action.refresh_from_db()
    return action.finished_at is not None


class TestOrders:
    def test_an_order_is_written_down_before_anything_is_done(
        self, accounts: list[ConnectedAccount], actor: User, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr(bulk, "INSERTED", 2)
        action = order("disable", accounts, actor)
        assert action.total == 3
        assert said(action) == [("waiting", "")] * 3
        assert ConnectedAccount.objects.filter(status="active").count() == 3

    def test_all_of_it_is_done_in_batches(
        self, accounts: list[ConnectedAccount], actor: User, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr(bulk, "BATCH_SIZE", 2)
        action = order("disable", accounts, actor)
        assert bulk.run_all(FOREVER) is False
        assert said(action) == [("done", "")] * 3
        assert is_finished(action)
        assert ConnectedAccount.objects.filter(status="disabled").count() == 3

    def test_it_goes_on_where_somebody_stopped(
        self, accounts: list[ConnectedAccount], actor: User, monkeypatch: Any
    ) -> None:
        action = order("revoke", accounts, actor)
        moments = iter([0.0, 0.0, FOREVER + 1])
        with monkeypatch.context() as patch:
            patch.setattr(bulk, "time", SimpleNamespace(monotonic=moments.__next__))
            bulk.run(action, FOREVER)
        assert said(action) == [("done", ""), ("waiting", ""), ("waiting", "")]
        assert not is_finished(action)
        tasks.run_bulk_actions()
        assert said(action) == [("done", "")] * 3
        assert is_finished(action)
        assert sum(a.events.filter(kind="revoked").count() for a in accounts) == 3

    def test_an_account_that_failed_midway_is_tried_again(
        self, accounts: list[ConnectedAccount], actor: User, monkeypatch: Any
    ) -> None:
        action = order("revoke", accounts, actor)

        def killed(account: ConnectedAccount, **kwargs: Any) -> None:
            account.disable()
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(ConnectedAccount, "revoke", killed)
            with pytest.raises(KeyboardInterrupt):
                bulk.run(action, FOREVER)
        assert said(action) == [("waiting", "")] * 3
        assert not ConnectedAccount.objects.exclude(status="active").exists()
        # Whoever comes next waits until it is clear that nobody is at it.
        bulk.run_all(FOREVER)
        assert said(action) == [("waiting", "")] * 3
        BulkAction.objects.update(busy_until=clock.utcnow() - timedelta(seconds=1))
        bulk.run_all(FOREVER)
        assert said(action) == [("done", "")] * 3

    def test_what_somebody_else_did_meanwhile_is_not_done_again(
        self, accounts: list[ConnectedAccount], actor: User, monkeypatch: Any
    ) -> None:
        action = order("disable", accounts[:1], actor)
        (item,) = action.items.all()
        BulkItem.objects.update(outcome="failed", reason="x")
        bulk._do(action, item)
        assert said(action) == [("failed", "x")]
        assert ConnectedAccount.objects.filter(status="disabled").count() == 0

    def test_who_still_needs_its_owner_is_told(
        self, accounts: list[ConnectedAccount], actor: User
    ) -> None:
        accounts[0].require_reauth(reason="identity_changed")
        for account in accounts:
            account.disable()
        action = order("enable", accounts, actor)
        bulk.run(action, FOREVER)
        assert said(action) == [("done", "needs_reauth"), ("done", ""), ("done", "")]

    def test_time_that_is_up_is_told(
        self, accounts: list[ConnectedAccount], actor: User, monkeypatch: Any
    ) -> None:
        sent: list[Any] = []
        monkeypatch.setattr(tasks, "enqueue", lambda *sending: sent.append(sending))
        monkeypatch.setattr(tasks, "TASK_SECONDS", -1)
        order("disable", accounts, actor)
        tasks.run_bulk_actions(links=2)
        tasks.run_bulk_actions(links=0)
        assert sent == [(tasks.run_bulk_actions, 1)]

    def test_the_command_does_it_too(
        self, accounts: list[ConnectedAccount], actor: User
    ) -> None:
        action = order("disable", accounts, actor)
        call_command("oauth_accounts", "refresh", verbosity=0)
        assert is_finished(action)

    def test_old_orders_are_purged(
        self, accounts: list[ConnectedAccount], actor: User
    ) -> None:
        old = order("disable", accounts, actor)
        order("enable", accounts, actor)
        long_ago = clock.utcnow() - timedelta(days=91)
        BulkAction.objects.filter(pk=old.pk).update(created_at=long_ago)
        assert purge_bulk_actions() == 1
        assert BulkAction.objects.get().kind == "enable"
        assert BulkItem.objects.count() == 3


class TestRefreshes:
    def test_they_are_left_to_the_sweep(
        self, accounts: list[ConnectedAccount], actor: User, server: FakeProvider
    ) -> None:
        action = order("refresh", accounts, actor)
        bulk.run_all(FOREVER)
        assert said(action) == [("queued", "")] * 3
        assert server.token_requests == []
        assert sweep.run().refreshed == 3
        bulk.run_all(FOREVER)
        assert said(action) == [("done", "")] * 3
        assert is_finished(action)

    def test_tasks_call_each_other_and_come_to_an_end(
        self, accounts: list[ConnectedAccount], actor: User, monkeypatch: Any
    ) -> None:
        """Nobody waits for beat twice, and what stays queued sends no more messages."""
        sent: list[Any] = []
        monkeypatch.setattr(tasks, "enqueue", lambda *sending: sent.append(sending))
        action = order("refresh", accounts, actor)
        tasks.run_bulk_actions()
        assert sent == [(tasks.refresh_due_accounts,)]
        tasks.refresh_due_accounts()
        assert sent[1:] == [(tasks.run_bulk_actions, 0)]
        tasks.run_bulk_actions(0)
        assert said(action) == [("done", "")] * 3
        tasks.refresh_due_accounts()
        assert len(sent) == 2

    def test_what_cannot_be_refreshed_is_passed_over(
        self, accounts: list[ConnectedAccount], actor: User
    ) -> None:
        accounts[0].disable()
        ConnectedAccount.objects.filter(pk=accounts[1].pk).update(refresh_token=None)
        keys = [account.pk for account in accounts]
        accounts[2].delete()
        action = bulk.start("refresh", keys, actor)
        bulk.run_all(FOREVER)
        assert said(action) == [
            ("skipped", "disabled"),
            ("skipped", "no_refresh_token"),
            ("failed", "account_deleted"),
        ]
        assert is_finished(action)

    def test_none_is_stopped_while_addresses_are_in_doubt(
        self, accounts: list[ConnectedAccount], actor: User, server: FakeProvider
    ) -> None:
        Provider.objects.update(token_endpoint="https://elsewhere.example/token")
        account = ConnectedAccount.objects.get(pk=accounts[0].pk)
        assert obstacle("refresh", account) == "provider_in_doubt"
        assert not obstacle("disable", account)
        action = order("refresh", accounts, actor)
        bulk.run(action, FOREVER, at_once=True)
        assert said(action) == [("skipped", "provider_in_doubt")] * 3
        assert set(ConnectedAccount.objects.values_list("status")) == {("active",)}
        assert server.token_requests == []

    def test_failures_are_told(
        self, accounts: list[ConnectedAccount], actor: User, server: FakeProvider
    ) -> None:
        action = order("refresh", accounts[:2], actor)
        bulk.run_all(FOREVER)
        server.script(
            Answer(status=400, json={"error": "invalid_grant"}), Answer(status=503)
        )
        sweep.run()
        accounts[2].delete()
        bulk.run_all(FOREVER)
        assert {reason for _outcome, reason in said(action)} == {
            "invalid_grant",
            "server_error",
        }
        assert {outcome for outcome, _reason in said(action)} == {"failed"}

    def test_an_account_that_is_deleted_while_it_waits(
        self, accounts: list[ConnectedAccount], actor: User
    ) -> None:
        action = order("refresh", accounts[:1], actor)
        bulk.run_all(FOREVER)
        accounts[0].delete()
        bulk.run_all(FOREVER)
        assert said(action) == [("failed", "account_deleted")]

    def test_a_day_is_long_enough_to_wait(
        self, accounts: list[ConnectedAccount], actor: User
    ) -> None:
        action = order("refresh", accounts, actor)
        bulk.run_all(FOREVER)
        assert not is_finished(action)
        long_ago = clock.utcnow() - timedelta(days=2)
        BulkAction.objects.update(created_at=long_ago)
        ConnectedAccount.objects.update(last_refreshed_at=long_ago - timedelta(days=1))
        bulk.run_all(FOREVER)
        assert said(action) == [("queued", "")] * 3
        assert is_finished(action)
