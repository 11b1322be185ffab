"""What interrupts a sweep, and what it must neither lose nor wait for without end."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import timedelta
from itertools import count
from types import SimpleNamespace

import pytest
from django.db import OperationalError
from django.utils import timezone

from oauth_accounts import (
    batch,
    callers,
    durable,
    lease,
    outages,
    renew,
    sweep,
    tasks,
    telling,
    turns,
    writeback,
    writer,
)
from oauth_accounts.models import AccountEvent, ConnectedAccount, Provider
from oauth_accounts.models.event import RefreshStatisticManager
from oauth_accounts.signals import tokens_refreshed
from oauth_accounts.testing.server import FakeProvider
from oauth_accounts.testing.wire import Answer


def test_a_mistake_in_a_caller_thread_ends_its_own_call_only(
    make_account, server, monkeypatch, caplog
):
    """The others are refreshed, and nobody waits for an answer that cannot come."""
    for n in range(5):
        make_account(f"user-{n}")
    ask, asked = callers.ask, []

    def fail_once(*arguments):
        asked.append(arguments)
        if len(asked) == 2:
            raise TypeError
        return ask(*arguments)

    monkeypatch.setattr(callers, "ask", fail_once)
    result = sweep.run(concurrency=2, max_seconds=20)
    assert (result.refreshed, result.failed) == (4, 1)
    assert "TypeError" in caplog.text


@pytest.mark.parametrize("moment", ["learn", "before"])
def test_an_interruption_while_an_answer_is_taken_in_loses_no_token(
    make_account, server, monkeypatch, moment
):
    account = make_account()
    learn, interrupted = turns.Turn.learn, []

    def interrupt(turn, outcome):
        if not interrupted:
            interrupted.append(outcome)
            if moment == "learn":
                learn(turn, outcome)
            raise KeyboardInterrupt
        learn(turn, outcome)

    monkeypatch.setattr(turns.Turn, "learn", interrupt)
    with pytest.raises(KeyboardInterrupt):
        sweep.run()
    account.refresh_from_db()
    assert account.generation == 1
    assert server.is_live(account.reveal("refresh_token").get_value())


def test_answers_that_came_while_the_database_was_away_are_stored_too(
    make_account, server, monkeypatch, settings
):
    """Even when it was away for longer than the calls were waited for."""
    settings.OAUTH_ACCOUNTS_HTTP_TIMEOUT = 1
    monkeypatch.setattr(sweep, "GRACE_SECONDS", 0.0)
    first, late = make_account("first"), make_account("late")
    gate, order = threading.Event(), count()

    def answer(request):
        if next(order) == 1:
            gate.wait(5)

    server.on_token_request = answer
    write, began = writeback._write, []

    def away(alias, group):
        began.append(time.monotonic())
        gate.set()
        if time.monotonic() - began[0] < 1.5:
            raise OperationalError
        return write(alias, group)

    monkeypatch.setattr(writeback, "_write", away)
    write_all = writer.Writer.write

    def interrupt(self):
        monkeypatch.setattr(writer.Writer, "write", write_all)
        raise KeyboardInterrupt

    monkeypatch.setattr(writer.Writer, "write", interrupt)
    with pytest.raises(KeyboardInterrupt):
        sweep.run(concurrency=2)
    for account in (first, late):
        account.refresh_from_db()
        assert account.generation == 1


def test_a_group_keeps_the_refresh_tokens_date_under_a_new_key(
    make_account, server, settings
):
    accounts = [make_account(f"user-{n}") for n in range(4)]
    dies = timezone.now() + timedelta(days=40)
    ConnectedAccount.objects.update(refresh_token_expires_at=dies)
    settings.FERNET_KEYS = [
        "the-newest-key-of-this-suite-1c2d3e4f",
        *settings.FERNET_KEYS,
    ]
    server.script(
        *[Answer(json={"access_token": "at", "token_type": "bearer"})] * 4,
    )
    assert sweep.run(concurrency=4).refreshed == 4
    for account in accounts:
        account.refresh_from_db()
        assert account.refresh_token_expires_at == dies


def test_no_more_calls_than_threads_however_many_providers(make_account, server):
    """A call that waits for a thread would be made after its lease is over."""
    servers = [FakeProvider().start() for _ in range(4)]
    flying, start = [], callers.Callers.start

    def note(self, call, number):
        flying.append(number)
        start(self, call, number)

    try:
        for n, other in enumerate(servers):
            row = Provider.objects.create(slug=f"s{n}", **other.as_provider_fields())
            access, refresh = other.issue(subject="x")
            del access
            account = make_account(f"user-{n}", provider=row)
            account.refresh_token = refresh
            account.save(update_fields=["refresh_token"])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(callers.Callers, "start", note)
            assert sweep.run(concurrency=2).refreshed == 4
    finally:
        for other in servers:
            other.stop()
    assert max(flying) <= 2


def test_a_call_whose_lease_is_over_is_not_made(make_account, server, monkeypatch):
    """As when the sweep had to wait for a lock between the lease and the call."""
    account = make_account()
    monkeypatch.setattr(
        Provider,
        "reserve_slots",
        lambda self, wanted: time.sleep(0.2) or wanted,
    )
    made = batch._claim

    def claim(account, started):
        return made(account, started - lease.LEASE_SECONDS)

    monkeypatch.setattr(batch, "_claim", claim)
    monkeypatch.setattr(turns.Turn, "_renew_armed", lambda self: None)
    sweep.run(max_seconds=3)
    assert server.token_requests == []
    account.refresh_from_db()
    assert account.lease is None
    assert account.attempt_started_at is None
    assert account.generation == 0


def test_after_its_time_a_sweep_waits_without_spinning(make_account, server):
    make_account()
    server.on_token_request = lambda request: time.sleep(1.0)
    used = time.thread_time()
    assert sweep.run(max_seconds=0.2).refreshed == 1
    assert time.thread_time() - used < 0.4


def test_accounts_that_cannot_be_refreshed_hold_nobody_up(make_account, owner):
    for n in range(12):
        make_account(f"user-{n}", expires_in=-100)
    ConnectedAccount.objects.update(refresh_token_expires_at=timezone.now())
    began = time.monotonic()
    assert sweep.run().failed == 12
    assert time.monotonic() - began < 1.5


def test_a_provider_that_is_deleted_meanwhile_ends_its_own_turn(
    make_account, monkeypatch
):
    account = make_account()
    with FakeProvider() as elsewhere:
        gone = Provider.objects.create(slug="gone", **elsewhere.as_provider_fields())
        due, key, looked = batch.providers_due, gone.pk, []

        def look(slug):
            found = due(slug)
            looked.append(slug)
            if len(looked) == 2:
                Provider.objects.filter(pk=key).delete()
                return [gone, *found]
            return found

        monkeypatch.setattr(batch, "providers_due", look)
        assert sweep.run().refreshed == 1
    account.refresh_from_db()
    assert account.generation == 1


def test_a_provider_without_any_slot_does_not_keep_a_sweep(
    make_account, provider, server
):
    Provider.objects.update(max_refreshes_per_minute=0)
    account = make_account()
    began = time.monotonic()
    result = sweep.run(max_seconds=3)
    assert time.monotonic() - began < 2
    assert result.refreshed == 0
    account.refresh_from_db()
    assert account.lease is None


def test_a_paced_provider_does_not_send_for_more_hands(make_account, monkeypatch):
    """They could only wait for slots like this one, each in a worker of its own."""
    Provider.objects.update(max_refreshes_per_minute=10)
    for n in range(5):
        make_account(f"user-{n}")
    sent = []
    monkeypatch.setattr(tasks, "TASK_SECONDS", 2.0)
    monkeypatch.setattr(tasks, "enqueue", lambda *arguments: sent.append(arguments))
    tasks.refresh_due_accounts()
    assert sent == []
    assert ConnectedAccount.objects.filter(generation=1).count() == 1
    assert not ConnectedAccount.objects.exclude(lease=None).exists()


def test_an_event_that_cannot_be_told_ends_no_sweep(make_account, monkeypatch, caplog):
    for n in range(3):
        make_account(f"user-{n}")

    def fail(*arguments):
        raise OperationalError

    monkeypatch.setattr(outages, "succeeded", fail)
    assert sweep.run().refreshed == 3
    assert "ended with OperationalError" in caplog.text


def test_fewer_threads_than_wanted_are_enough(make_account, monkeypatch):
    for n in range(6):
        make_account(f"user-{n}")
    start, started = threading.Thread.start, []

    def refuse(thread):
        if thread.name == "oauth_accounts.caller":
            if started:
                raise RuntimeError("can't start new thread")
            started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert sweep.run(concurrency=4).refreshed == 6


def test_slow_receivers_hold_back_calls_and_not_memory(make_account, monkeypatch):
    for n in range(30):
        make_account(f"user-{n}")
    monkeypatch.setattr(telling, "LONGEST_QUEUE", 4)
    succeeded, most = telling.Telling.succeeded, []

    def note(self, *arguments):
        succeeded(self, *arguments)
        most.append(self._submitted - self._told)

    def slow(sender, account, **arguments):
        time.sleep(0.03)

    monkeypatch.setattr(telling.Telling, "succeeded", note)
    tokens_refreshed.connect(slow)
    try:
        assert sweep.run(concurrency=2).refreshed == 30
    finally:
        tokens_refreshed.disconnect(slow)
    assert max(most) <= 4 + 1 + 2


def test_a_connection_that_breaks_while_a_lock_is_looked_at_loses_nothing(
    make_account, server, monkeypatch
):
    account = make_account()
    write, still_ours, broken = writeback._write, writeback._still_ours, []

    def nothing_at_first(alias, group):
        return write(alias, group) if broken else set()

    def break_once(alias, missed):
        if not broken:
            broken.append(missed)
            raise OperationalError
        return still_ours(alias, missed)

    monkeypatch.setattr(writeback, "_write", nothing_at_first)
    monkeypatch.setattr(writeback, "_still_ours", break_once)
    assert sweep.run().refreshed == 1
    account.reload()
    assert account.generation == 1


def test_a_group_that_is_too_late_is_cried_out_by_nobody(
    make_account, monkeypatch, caplog
):
    """Those of a group are tried once more, each by itself, and named then."""
    group = []
    for account in (make_account("one"), make_account("two")):
        claim = replace(lease.take(account), deadline=0.0)
        group.append(writeback.Answered(account=account, claim=claim, values={}))

    def fail(alias, group):
        raise OperationalError

    monkeypatch.setattr(writeback, "_write", fail)
    with pytest.raises(OperationalError):
        writeback.write_group(group)
    assert "CRITICAL" not in [record.levelname for record in caplog.records]


def test_an_answer_for_which_no_database_comes_back_is_cried_out_once(
    make_account, monkeypatch, caplog
):
    account = make_account()
    insist = writeback._insist

    def fail():
        raise OperationalError

    def insist_in_vain(alias, group, _work):
        claim = replace(group[0].claim, deadline=0.0)
        return insist(alias, [replace(group[0], claim=claim)], fail)

    monkeypatch.setattr(writeback, "_insist", insist_in_vain)
    assert sweep.run().failed == 1
    cries = [one.message for one in caplog.records if one.levelname == "CRITICAL"]
    assert len(cries) == 1
    assert f"account {account.pk} could not be stored" in cries[0]
    assert "(OperationalError)" in cries[0]


def test_numbers_that_cannot_be_written_end_nothing(
    make_account, server, monkeypatch, caplog
):
    make_account()

    def fail(self, *args, **kwargs):
        raise OperationalError

    monkeypatch.setattr(RefreshStatisticManager, "record", fail)
    assert sweep.run().refreshed == 1
    assert "could not be counted (OperationalError)" in caplog.text


def test_a_lease_that_is_over_is_no_reason_to_drop_what_can_be_written(
    make_account, server, monkeypatch
):
    make_account()
    monkeypatch.setattr(writer, "holds", lambda claim, seconds: False)
    assert sweep.run().refreshed == 1


def test_a_machine_without_any_thread_left_says_so(make_account, server, monkeypatch):
    """Nothing can be called; what was armed for it is looked at when its lease is over."""
    make_account()

    def refuse(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(callers.threading.Thread, "start", refuse)
    monkeypatch.setattr(sweep, "GRACE_SECONDS", -14.0)
    with pytest.raises(RuntimeError):
        sweep.run()
    monkeypatch.undo()
    assert server.token_requests == []


def test_a_trouble_that_is_sorted_twice_is_one(db):
    """An interruption came between its sorting and its removal."""
    once = sweep.Sweep(slug=None, limit=1, concurrency=1, deadline=0.0, progress=None)
    call = SimpleNamespace(account=SimpleNamespace(pk=1))
    outcome = SimpleNamespace(values=None, call=call)
    once._sort(outcome)
    once._sort(outcome)
    assert list(once._troubles) == [outcome]


def test_inside_a_tests_transaction_receivers_hear_of_it_in_its_thread(
    make_account, server
):
    make_account()
    told = []

    def note(sender, **kwargs):
        told.append(threading.current_thread())

    tokens_refreshed.connect(note)
    try:
        with durable.inline():
            assert sweep.run().refreshed == 1
    finally:
        tokens_refreshed.disconnect(note)
    assert told == [threading.current_thread()]


def test_an_account_somebody_is_at_work_on_is_not_given_up(make_account):
    """Without a refresh token it is over; but who has the lease may bring another."""
    account = make_account()
    assert lease.take(account)
    ConnectedAccount.objects.update(refresh_token=None)
    account.reload()
    assert renew.require_refreshable(account) is None
    assert account.status == "active"


def test_the_history_of_an_account_that_is_gone_goes_on(make_account):
    account = make_account()
    ConnectedAccount.objects.get(pk=account.pk).delete()
    account.record_event("recovered")
    event = AccountEvent.objects.get(kind="recovered")
    assert (event.account_id, event.account_key) == (None, account.pk)
