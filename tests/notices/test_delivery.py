"""Each notice is sent once, and in the end: two workers, a server that is away, a crash."""

from __future__ import annotations

import signal
from collections import Counter
from datetime import timedelta

import pytest
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oauth_accounts import clock, notices, reactions
from oauth_accounts.management import passes
from oauth_accounts.models import ConnectedAccount, Notice, purge_notices
from oauth_accounts.testing.factories import ConnectedAccountFactory
from tests.command import Child, run, wait_until
from tests.engine.races import race
from tests.notices.conftest import make_due

pytestmark = pytest.mark.usefixtures("notices_on")

REAUTH = "reauth_required"


@pytest.fixture
def many(github, owner):
    """Make accounts that all lose their grant."""

    def lose(count):
        for number in range(count):
            account = ConnectedAccountFactory(
                provider=github, owner=owner, uid=f"user-{number}"
            )
            reactions.require_reauth(account, "invalid_grant")

    return lose


def statuses():
    rows = Notice.objects.values_list("status", "last_error")
    return Counter(rows)


class TestOnce:
    def test_what_was_sent_is_not_sent_again(self, account, mailbox):
        account.revoke()
        assert notices.deliver_due().sent == 1
        make_due()
        assert notices.deliver_due() == notices.Result()
        assert len(mailbox.contents) == 1
        notice = Notice.objects.get()
        assert (notice.status, notice.attempts, notice.due_at) == ("sent", 1, None)
        assert notice.finished_at is not None
        assert notice.snapshot == {}

    def test_two_workers_at_once_share_a_burst(self, many, mailbox):
        many(15)
        results = race(notices.deliver_due, 3)
        assert sum(result.sent for result in results) == 15
        ids = [found["Message-ID"] for found in mailbox.mails]
        assert len(ids) == len(set(ids)) == 15
        assert statuses() == {("sent", ""): 15}

    def test_two_processes_share_one_too(
        self, many, mailbox, child_environment, tmp_path
    ):
        many(10)
        environment = {
            **child_environment,
            "DJANGO_SETTINGS_MODULE": "tests.settings_mail",
            "TEST_SMTP_PORT": str(mailbox.port),
        }
        for name in "ab":
            (tmp_path / name).mkdir()
        with (
            Child(environment, tmp_path / "a", "refresh") as one,
            Child(environment, tmp_path / "b", "refresh") as two,
        ):
            assert (one.wait(), two.wait()) == (0, 0), one.complaints()
        assert len({found["Message-ID"] for found in mailbox.mails}) == 10
        assert len(mailbox.contents) == 10

    def test_a_burst_goes_over_one_connection(self, account, mailbox):
        for _change in range(300):
            account.notify("connected")
        assert notices.deliver_due().sent == 300
        assert mailbox.connections == 1

    def test_a_worker_that_is_killed_in_between_sends_it_once_more(
        self, account, mailbox, child_environment, tmp_path
    ):
        account.revoke()
        environment = {
            **child_environment,
            "DJANGO_SETTINGS_MODULE": "tests.settings_mail",
            "TEST_SMTP_PORT": str(mailbox.port),
        }
        children = []

        def kill(content):
            children[0].process.send_signal(signal.SIGKILL)
            children[0].process.wait()
            return "250 OK"

        mailbox.takes = kill
        child = Child(environment, tmp_path, "refresh")
        children.append(child)
        with child:
            assert child.wait() == -signal.SIGKILL
        wait_until(lambda: len(mailbox.contents) == 1)
        mailbox.takes = lambda content: "250 OK"
        # Whoever held it is believed to be at work for a while.
        assert notices.deliver_due().sent == 0
        make_due()
        assert notices.deliver_due().sent == 1
        first, second = mailbox.mails
        assert first["Message-ID"] == second["Message-ID"]


class TestServerAway:
    def test_it_is_sent_when_the_server_is_back(self, account, mailbox, caplog):
        mailbox.stop()
        account.revoke()
        assert notices.deliver_due() == notices.Result(failed=1)
        assert statuses() == {("waiting", "unsent"): 1}
        assert "ConnectionRefusedError" in caplog.text
        assert "ada@example.com" not in caplog.text
        # Not at once again.
        assert notices.deliver_due() == notices.Result()
        mailbox.start()
        make_due()
        assert notices.deliver_due().sent == 1
        assert Notice.objects.get().last_error == ""

    def test_the_change_does_not_notice(self, account, mailbox):
        mailbox.stop()
        account.revoke()
        account.refresh_from_db()
        assert account.status == "revoked"

    def test_one_of_many_asks_for_all(self, many, mailbox):
        mailbox.stop()
        many(20)
        assert notices.deliver_due() == notices.Result(failed=1)
        assert notices.count_due() == 19
        mailbox.start()
        assert notices.deliver_due().sent == 19

    def test_the_next_try_is_not_far_off_however_long_it_is_away(
        self, account, mailbox
    ):
        mailbox.stop()
        account.revoke()
        Notice.objects.update(attempts=30)
        notices.deliver_due()
        wait = Notice.objects.get().due_at - clock.utcnow()
        # The database's clock is not this process's to the millisecond.
        assert wait <= timedelta(seconds=notices.UNREACHABLE_SECONDS + 1)

    def test_a_server_that_goes_away_midway(self, many, mailbox):
        many(5)

        def go(content):
            if len(mailbox.contents) == 2:
                return "421 Going down"
            return "250 OK"

        mailbox.takes = go
        result = notices.deliver_due()
        assert (result.sent, result.failed) == (4, 1)
        assert mailbox.connections == 2
        make_due()
        assert notices.deliver_due().sent == 1

    def test_a_server_that_takes_nothing_is_left_alone_after_some(self, many, mailbox):
        many(10)
        mailbox.takes = lambda content: "451 Later"
        assert notices.deliver_due().failed == notices.TROUBLES_IN_A_ROW
        assert len(mailbox.contents) == notices.TROUBLES_IN_A_ROW

    def test_a_server_that_says_nothing_is_not_waited_for_long(
        self, account, mailbox, settings
    ):
        connection = notices.Post()._dial()
        assert connection.timeout == 10
        connection.close()
        if hasattr(mail, "mailers"):
            settings.MAILERS["default"]["OPTIONS"]["timeout"] = 3
        else:
            settings.EMAIL_TIMEOUT = 3
        connection = notices.Post()._dial()
        assert connection.timeout == 3
        connection.close()

    def test_after_days_it_is_given_up(self, account, mailbox):
        mailbox.stop()
        account.revoke()
        notices.deliver_due()
        old = clock.utcnow() - notices.MAX_AGE - timedelta(minutes=1)
        Notice.objects.update(created_at=old)
        make_due()
        mailbox.start()
        assert notices.deliver_due() == notices.Result(failed=1)
        assert statuses() == {("failed", "unsent"): 1}
        assert mailbox.contents == []
        assert Notice.objects.get().snapshot == {}

    def test_what_nobody_has_tried_for_days_is_too_old(self, account, mailbox):
        account.revoke()
        Notice.objects.update(created_at=clock.utcnow() - timedelta(days=4))
        notices.deliver_due()
        assert statuses() == {("failed", "too_old"): 1}


class TestRefused:
    def test_an_address_that_is_refused_is_tried_thrice(self, account, mailbox):
        mailbox.refuses = lambda address: "550 No such user"
        account.revoke()
        for _try in range(notices.REFUSALS):
            assert statuses()["failed", "refused"] == 0
            make_due()
            assert notices.deliver_due().failed == 1
        assert statuses() == {("failed", "refused"): 1}
        assert mailbox.contents == []

    def test_tries_while_the_server_was_away_are_no_refusals(self, account, mailbox):
        mailbox.refuses = lambda address: "550 Relaying denied"
        account.revoke()
        Notice.objects.update(attempts=10, last_error="unsent")
        notices.deliver_due()
        assert statuses() == {("waiting", "refused"): 1}

    def test_it_does_not_stand_in_the_way_of_others(
        self, many, account, mailbox, django_user_model
    ):
        for number in range(5):
            bad = django_user_model.objects.create_user(
                f"bad-{number}", email=f"bad-{number}@example.com"
            )
            ConnectedAccountFactory(provider=account.provider, owner=bad).revoke()
        many(3)

        def refuse(address):
            return "550 No" if address.startswith("bad") else "250 OK"

        mailbox.refuses = refuse
        assert notices.deliver_due() == notices.Result(sent=3, failed=5)

    def test_a_mail_that_is_refused_for_its_content(self, account, mailbox):
        mailbox.takes = lambda content: "554 Looks like spam"
        account.revoke()
        notices.deliver_due()
        assert statuses() == {("waiting", "refused"): 1}
        wait = Notice.objects.get().due_at - clock.utcnow()
        assert wait > timedelta(minutes=50)

    def test_greylisting_is_no_refusal(self, account, mailbox):
        mailbox.refuses = lambda address: "450 Come again"
        account.revoke()
        notices.deliver_due()
        assert statuses() == {("waiting", "unsent"): 1}

    def test_an_address_that_cannot_be_written(self, account, mailbox, settings):
        settings.OAUTH_ACCOUNTS_GET_NOTICE_RECIPIENTS = lambda account: ["a@b@c d"]
        account.revoke()
        assert notices.deliver_due().failed == 1
        assert statuses() == {("waiting", "refused"): 1}


class TestOutOfDate:
    def test_no_call_to_reconnect_after_reconnecting(self, account, mailbox):
        reactions.require_reauth(account, "invalid_grant")
        ConnectedAccount.objects.update(status="active", generation=1)
        assert notices.deliver_due() == notices.Result(dropped=1)
        assert statuses() == {("dropped", "superseded"): 1}
        assert mailbox.contents == []

    def test_nor_when_it_has_lost_its_grant_once_more(self, account, mailbox):
        reactions.require_reauth(account, "invalid_grant")
        ConnectedAccount.objects.update(status="active", generation=1)
        account.refresh_from_db()
        reactions.require_reauth(account, "refresh_token_expired")
        assert notices.deliver_due() == notices.Result(sent=1, dropped=1)
        assert Notice.objects.get(status="sent").reason == "refresh_token_expired"

    def test_nor_after_disconnecting(self, account, mailbox):
        reactions.require_reauth(account, "invalid_grant")
        account.revoke()
        assert notices.deliver_due() == notices.Result(sent=1, dropped=1)
        assert Notice.objects.get(status="sent").kind == "disconnected"

    def test_nor_when_the_account_is_gone(self, account, mailbox):
        reactions.require_reauth(account, "invalid_grant")
        account.delete()
        assert notices.deliver_due() == notices.Result(sent=1, dropped=1)
        assert Notice.objects.get(status="sent").kind == "disconnected"

    def test_no_word_of_a_disconnect_after_connecting_again(self, account, mailbox):
        account.revoke()
        ConnectedAccount.objects.update(status="active", generation=2)
        assert notices.deliver_due() == notices.Result(dropped=1)

    def test_that_it_was_connected_is_told_whatever_came_of_it(self, account, mailbox):
        account.notify("connected")
        account.revoke()
        account.delete()
        notices.deliver_due()
        assert Notice.objects.get(kind="connected").status == "sent"

    def test_the_owner_is_gone(self, account, owner, mailbox):
        account.revoke()
        owner.delete()
        assert notices.deliver_due() == notices.Result(dropped=1)
        assert statuses() == {("dropped", "gone"): 1}

    def test_the_provider_is_gone(self, account, github, mailbox):
        account.revoke()
        account.pending_revocations.all().delete()
        account.delete()
        github.pending_revocations.all().delete()
        github.delete()
        assert notices.deliver_due() == notices.Result(dropped=1)
        assert statuses() == {("dropped", "gone"): 1}

    def test_a_kind_that_was_switched_off_since(self, account, mailbox, settings):
        account.revoke()
        settings.OAUTH_ACCOUNTS_NOTICES = ["connected"]
        assert notices.deliver_due() == notices.Result(dropped=1)
        assert statuses() == {("dropped", "switched_off"): 1}


class TestBounds:
    def test_so_many_and_no_more(self, many, mailbox):
        many(3)
        assert notices.deliver_due(limit=2) == notices.Result(sent=2, more=True)

    def test_time_that_is_up(self, many, mailbox):
        many(1)
        assert notices.deliver_due(max_seconds=-1) == notices.Result(more=True)

    def test_more_than_a_batch(self, many, mailbox, monkeypatch):
        monkeypatch.setattr(notices, "BATCH_SIZE", 2)
        many(5)
        counted = []
        assert notices.deliver_due(progress=counted.append).sent == 5
        assert counted == [1, 2, 3, 4, 5]

    def test_whatever_ends_it_closes_the_connection(self, many, mailbox):
        many(3)

        def stop(done):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            notices.deliver_due(progress=stop)
        assert statuses()["sent", ""] == 1

    def test_nothing_that_waits_costs_one_query(self, account, mailbox):
        account.revoke()
        notices.deliver_due()
        with CaptureQueriesContext(
            connection,
        ) as queries:
            notices.deliver_due()
        assert len(queries) == 1
        assert mailbox.connections == 1

    def test_without_an_address_of_the_site_they_wait(
        self, account, mailbox, settings, caplog
    ):
        account.revoke()
        settings.OAUTH_ACCOUNTS_BASE_URL = None
        assert notices.deliver_due() == notices.Result()
        assert "OAUTH_ACCOUNTS_BASE_URL" in caplog.text
        settings.OAUTH_ACCOUNTS_BASE_URL = "https://www.example.com"
        assert notices.deliver_due().sent == 1

    def test_a_change_costs_one_query_more(self, github, owner, settings):
        def cost():
            account = ConnectedAccountFactory(provider=github, owner=owner)
            with CaptureQueriesContext(connection) as queries:
                reactions.require_reauth(account, "invalid_grant")
            return len(queries)

        on = cost()
        settings.OAUTH_ACCOUNTS_NOTICES = []
        assert on == cost() + 1

    def test_old_notices_are_deleted(self, account):
        account.revoke()
        account.notify("connected")
        old = clock.utcnow() - timedelta(days=31)
        Notice.objects.filter(kind="connected").update(created_at=old)
        assert purge_notices() == 1
        assert Notice.objects.get().kind == "disconnected"


class TestCommand:
    def test_a_pass_sends_what_waits(self, account, mailbox):
        account.revoke()
        assert run("refresh", "--dry-run").endswith(
            "1 revocations wait. 1 notices wait.\n"
        )
        assert "1 notices wait, the oldest since" in run("status")
        assert "1 notices sent, 0 failed." in run("refresh")
        assert "0 notices wait." in run("status")
        assert len(mailbox.contents) == 1

    def test_where_they_are_off_nobody_speaks_of_them(self, account, settings):
        settings.OAUTH_ACCOUNTS_NOTICES = []
        for command in (["status"], ["refresh", "--dry-run"], ["refresh"]):
            assert "notices" not in run(*command)

    def test_a_slow_mail_server_does_not_hold_up_a_bounded_pass(
        self, many, mailbox, monkeypatch
    ):
        many(2)
        monkeypatch.setattr(passes, "OTHERS_SECONDS", -1.0)
        assert "notices" not in run("refresh", "--max-seconds", "1")
        assert mailbox.contents == []


class Unusual(BaseEmailBackend):
    """A backend of somebody else's, that does as it was told."""

    answers: list = []

    def send_messages(self, messages):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self):
        raise RuntimeError("not even this")


class TestBackends:
    @pytest.fixture(autouse=True)
    def backend(self, settings):
        name = f"{__name__}.{Unusual.__name__}"
        if hasattr(mail, "mailers"):
            settings.MAILERS = {"default": {"BACKEND": name}}
        else:
            settings.EMAIL_BACKEND = name

    @pytest.mark.parametrize("answer", [1, None])
    def test_some_say_how_many_and_some_say_nothing(self, account, answer):
        account.revoke()
        Unusual.answers = [answer]
        assert notices.deliver_due().sent == 1

    @pytest.mark.parametrize("answer", [0, RuntimeError("of ada@example.com")])
    def test_what_was_not_taken_is_tried_again(self, account, answer, caplog):
        account.revoke()
        Unusual.answers = [answer, 1]
        assert notices.deliver_due().failed == 1
        assert "ada@example.com" not in caplog.text
        make_due()
        assert notices.deliver_due().sent == 1

    def test_a_backend_that_is_not_there(self, account, settings, caplog):
        if hasattr(mail, "mailers"):
            settings.MAILERS = {"default": {"BACKEND": "no.such.Backend"}}
        else:
            settings.EMAIL_BACKEND = "no.such.Backend"
        account.revoke()
        assert notices.deliver_due().failed == 1
        assert statuses() == {("waiting", "unsent"): 1}


def test_a_claim_that_was_lost_meanwhile_changes_nothing(account, mailbox):
    account.revoke()
    [key] = notices._due_keys()
    first = notices._claim(key)
    assert notices._claim(key) is None
    make_due()
    second = notices._claim(key)
    # The first one comes back late, and has lost it.
    notices._finish(first, "sent")
    assert Notice.objects.get().status == "waiting"
    notices._finish(second, "sent")
    assert Notice.objects.get().status == "sent"
