"""Tasks on real brokers: a worker and beat as processes of their own."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import uuid
from urllib.parse import urlsplit

import pytest
from celery import Celery, current_app
from celery._state import _set_current_app, default_app

from oauth_accounts import tasks
from oauth_accounts.beat import BEAT_SCHEDULE
from oauth_accounts.models import (
    AuthorizationAttempt,
    ConnectedAccount,
    PendingRevocation,
)
from tests.brokers import PAIRED, FreezingProxy, configure, named

BROKERS = [pytest.param("filesystem", marks=pytest.mark.sqlite), *PAIRED]

SERVERS = {"redis": "redis_url", "amqp": "rabbitmq_url"}
PORTS = {"redis": 6379, "amqp": 5672}


def wait_for(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.1)


def read(log):
    log.seek(0)
    return log.read()


@pytest.fixture(params=BROKERS)
def broker_url(request, tmp_path):
    if request.param == "filesystem":
        return f"filesystem://{tmp_path}"
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
def app(broker_url):
    """This process's Celery app on that broker, with an empty queue."""
    before = current_app._get_current_object()
    app = configure(Celery("publisher"), broker_url)
    app.set_current()
    with app.connection_for_write() as connection:
        queue = app.amqp.queues[app.conf.task_default_queue](connection)
        queue.declare()
        queue.purge()
    yield app
    with app.connection_for_write() as connection:
        app.amqp.queues[app.conf.task_default_queue](connection).delete()
    app.close()
    _set_current_app(before)


@pytest.fixture
def start(broker_url, child_environment, tmp_path):
    """Start `celery ...` with the tests' app; what it logs is kept."""
    processes = []

    def run(*arguments):
        log = (tmp_path / f"{arguments[0]}.log").open("w+")
        options = ["-A", "tests.celery_app", *named(*arguments)]
        command = [sys.executable, "-m", "celery", *options]
        environment = {**child_environment, "TEST_BROKER_URL": broker_url}
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        processes.append((process, log))
        return log

    yield run
    for process, log in processes:
        process.terminate()
        process.wait(30)
        log.close()


WORKER = ("worker", "-P", "solo", "--without-gossip", "--without-mingle", "-l", "debug")


def test_a_worker_refreshes_and_revokes(app, start, make_account, server):
    account = make_account()
    log = start(*WORKER)
    assert tasks.enqueue(tasks.refresh_account, str(account.pk))
    wait_for(lambda: ConnectedAccount.objects.get(pk=account.pk).generation == 1)
    account.refresh_from_db()
    access_token = account.reveal("access_token").get_value()
    refresh_token = account.reveal("refresh_token").get_value()
    account.revoke()
    wait_for(lambda: server.revoked == [refresh_token, access_token])
    wait_for(lambda: PendingRevocation.objects.get().status == "confirmed")
    text = read(log)
    assert "refresh_account" in text
    for secret in (access_token, refresh_token, server.client_secret):
        assert secret not in text


def test_beat_sends_the_sweep(app, start, make_account, server, tmp_path):
    accounts = [make_account(f"user-{n}") for n in range(3)]
    start(*WORKER)
    start("beat", "-s", str(tmp_path / "schedule"))
    wait_for(lambda: len(server.token_requests) >= 3)
    wait_for(
        lambda: all(
            ConnectedAccount.objects.get(pk=account.pk).generation == 1
            for account in accounts
        )
    )
    assert len(server.token_requests) == 3


def test_a_message_holds_a_primary_key_and_nothing_else(app, account, server):
    tasks.enqueue(tasks.refresh_account, str(account.pk))
    with app.connection_for_read() as connection:
        queue = app.amqp.queues[app.conf.task_default_queue](connection)
        message = queue.get(no_ack=True)
    assert message.payload[0] == [str(account.pk)]
    whole = repr((message.body, message.headers, message.properties))
    for name in ("access_token", "refresh_token"):
        assert account.reveal(name).get_value() not in whole
    assert server.client_secret not in whole


def test_a_message_delivered_three_times_makes_one_call(app, start, account, server):
    for _ in range(3):
        tasks.enqueue(tasks.refresh_account, str(account.pk))
    tasks.enqueue(tasks.refresh_due_accounts)
    log = start(*WORKER)
    wait_for(
        lambda: (
            "refresh_due_accounts" in read(log) and read(log).count("succeeded") == 4
        )
    )
    assert len(server.token_requests) == 1


def test_tasks_follow_each_other_until_nothing_is_due(
    app, start, make_account, server, child_environment
):
    for n in range(12):
        make_account(f"user-{n}")
    child_environment["TEST_TASK_ACCOUNTS"] = "2"
    tasks.enqueue(tasks.refresh_due_accounts)
    log = start(*WORKER)
    wait_for(lambda: len(server.token_requests) == 12)
    wait_for(lambda: read(log).count("succeeded") >= 6)
    assert server.replays == 0


@pytest.mark.parametrize("chunks", [1, 4, 6, 7, 8])
@pytest.mark.parametrize(
    "scheme",
    [
        pytest.param("redis", marks=pytest.mark.redis),
        pytest.param("amqp", marks=pytest.mark.rabbitmq),
    ],
)
def test_a6_2_a_broker_that_falls_silent_on_the_way(request, scheme, chunks):
    parts = urlsplit(request.getfixturevalue(SERVERS[scheme]))
    before = current_app._get_current_object()
    with FreezingProxy(parts.hostname, parts.port or PORTS[scheme], chunks) as proxy:
        netloc = f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{proxy.port}"
        app = configure(Celery("publisher"), parts._replace(netloc=netloc).geturl())
        app.set_current()
        begun = time.monotonic()
        tasks.enqueue(tasks.refresh_account, str(uuid.uuid4()))
        took = time.monotonic() - begun
        app.close()
        _set_current_app(before)
    assert took < 2


class TestWithoutBroker:
    @pytest.fixture
    def dead_app(self):
        before = current_app._get_current_object()
        app = Celery("dead")
        app.set_current()
        yield app
        app.close()
        _set_current_app(before)

    @pytest.mark.parametrize(
        "url", ["amqp://guest:guest@127.0.0.1:9//", "redis://127.0.0.1:9/0"]
    )
    def test_a_broker_that_is_down_breaks_nothing(
        self, dead_app, url, account, server, caplog
    ):
        dead_app.conf.broker_url = url
        begun = time.monotonic()
        account.revoke()
        assert time.monotonic() - begun < 2
        assert account.status == "revoked"
        assert PendingRevocation.objects.get().status == "pending"
        assert "broker" in caplog.text

    @pytest.mark.parametrize("scheme", ["amqp", "redis"])
    def test_a6_2_a_broker_that_accepts_and_is_silent(
        self, dead_app, scheme, account, caplog
    ):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            dead_app.conf.broker_url = f"{scheme}://127.0.0.1:{port}"
            begun = time.monotonic()
            account.revoke()
            assert time.monotonic() - begun < 2
        assert account.status == "revoked"
        assert PendingRevocation.objects.get().status == "pending"
        assert "broker" in caplog.text

    @pytest.mark.rabbitmq
    def test_a_broker_that_refuses_this_client(self, dead_app, rabbitmq_url, caplog):
        """An error of AMQP's own, which Celery hands on as it is."""
        dead_app.conf.broker_url = f"{rabbitmq_url}-that-is-missing"
        assert tasks.enqueue(tasks.refresh_account, str(uuid.uuid4())) is False
        assert "broker" in caplog.text

    def test_a_project_without_a_celery_app_sends_nothing(self, account):
        _set_current_app(default_app)
        assert tasks.enqueue(tasks.refresh_account, str(account.pk)) is False

    def test_without_celery_nothing_is_sent(self, account, monkeypatch):
        monkeypatch.setattr(tasks, "HAS_CELERY", False)
        assert tasks.enqueue(tasks.refresh_account, str(account.pk)) is False
        assert tasks.task("plain")(len) is len


class TestBodies:
    """Called as functions, as the command and a test do."""

    def test_refresh_account(self, account, server):
        tasks.refresh_account(str(account.pk))
        assert len(server.token_requests) == 1

    def test_refresh_of_an_account_that_is_gone(self, transactional_db):
        tasks.refresh_account(str(uuid.uuid4()))

    def test_a_failed_refresh_is_recorded_and_not_raised(self, account, server, caplog):
        caplog.set_level("INFO", "oauth_accounts")
        account.provider.enabled = False
        account.provider.save()
        tasks.refresh_account(str(account.pk))
        assert "provider_disabled" in caplog.text
        assert server.token_requests == []

    def test_the_others(self, account, server):
        tasks.refresh_due_accounts()
        assert len(server.token_requests) == 1
        account.reload()
        account.revoke()
        tasks.deliver_revocations()
        assert len(server.revoked) == 2
        tasks.purge_expired_attempts()
        assert AuthorizationAttempt.objects.count() == 0

    def test_notices_are_mailed_and_more_sends_for_a_hand(
        self, account, settings, monkeypatch, mailoutbox
    ):
        settings.OAUTH_ACCOUNTS_NOTICES = ["disconnected"]
        account.owner.email = "ada@example.com"
        account.owner.save()
        account.revoke()
        sent = []
        monkeypatch.setattr(tasks, "enqueue", lambda task, *args: sent.append(args))
        monkeypatch.setattr(tasks, "TASK_SECONDS", -1.0)
        tasks.deliver_notices(1)
        assert (sent, mailoutbox) == ([(0,)], [])
        tasks.deliver_notices(*sent.pop())
        assert (sent, mailoutbox) == ([], [])
        monkeypatch.setattr(tasks, "TASK_SECONDS", 15.0)
        tasks.deliver_notices()
        assert [mail.to for mail in mailoutbox] == [["ada@example.com"]]

    def test_the_schedule_names_tasks_that_exist(self):
        names = {entry["task"] for entry in BEAT_SCHEDULE.values()}
        assert all(
            callable(getattr(tasks, name.removeprefix("oauth_accounts.tasks.")))
            for name in names
        )
        assert BEAT_SCHEDULE is tasks.BEAT_SCHEDULE

    def test_a_full_batch_sends_for_more_hands(self, make_account, monkeypatch):
        for n in range(3):
            make_account(f"user-{n}")
        monkeypatch.setattr(tasks, "TASK_ACCOUNTS", 2)
        sent = []
        monkeypatch.setattr(tasks, "enqueue", lambda task, *args: sent.append(args))
        tasks.refresh_due_accounts(1, 5)
        assert sent == [(0, 4), (0, 4)]
        tasks.refresh_due_accounts(*sent.pop())
        # One was left, and nobody is needed any more.
        assert sent == [(0, 4)]

    def test_a_chain_comes_to_its_end(self, make_account, monkeypatch):
        make_account()
        monkeypatch.setattr(tasks, "TASK_ACCOUNTS", 1)
        sent = []
        monkeypatch.setattr(tasks, "enqueue", lambda task, *args: sent.append(args))
        tasks.refresh_due_accounts(0, 0)
        assert sent == []

    def test_time_that_is_up_sends_for_a_hand_too(self, make_account, monkeypatch):
        make_account()
        monkeypatch.setattr(tasks, "TASK_SECONDS", -1.0)
        sent = []
        monkeypatch.setattr(tasks, "enqueue", lambda task, *args: sent.append(args))
        tasks.refresh_due_accounts(0, 3)
        assert sent == [(0, 2)]
