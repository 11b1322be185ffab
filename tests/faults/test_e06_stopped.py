"""E6: a worker is told to stop, or takes longer than Celery allows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import uuid
from dataclasses import replace

import pytest
from celery import Celery, current_app
from celery._state import _set_current_app

from oauth_accounts import refresh, sweep, tasks
from oauth_accounts.conf import LEASE_SECONDS, conf
from oauth_accounts.models import ConnectedAccount
from oauth_accounts.testing.wire import Answer
from tests.brokers import configure
from tests.command import Child, wait_until
from tests.conftest import environment_of_children
from tests.faults.workers import somebody_waits

# Long enough for a signal to be handled before the answer comes.
A_MOMENT = 0.3
POOL = "worker -P prefork -c 1 --without-gossip --without-mingle -l info".split()


@pytest.fixture
def answer_late(server):
    def answer(request):
        return replace(server.respond(request), delay=A_MOMENT)

    server.script(answer)


def assert_stored(account, server):
    row = ConnectedAccount.objects.get(pk=account.pk)
    assert (row.status, row.status_reason, row.generation) == ("active", "", 1)
    assert (row.lease, row.attempt_started_at) == (None, None)
    assert server.is_live(row.get_access_token())
    assert server.is_live(row.reveal("refresh_token").get_value())
    assert len(server.token_requests) == 1
    assert server.replays == 0


class TestTheCommand:
    @pytest.fixture
    def child(self, account, child_environment, tmp_path):
        """Starts when the test has prepared everything."""

        def start():
            return Child(child_environment, tmp_path, "refresh", "--loop")

        return start

    def test_e06_sigterm_during_the_call(
        self, account, server, child, during, answer_late
    ):
        """The answer that comes after the signal is stored before the process ends."""
        during(lambda request: command.process.send_signal(signal.SIGTERM))
        with child() as command:
            assert command.wait() == 0, command.complaints()
        assert_stored(account, server)

    @pytest.mark.postgres
    @pytest.mark.mariadb
    def test_e06_sigterm_during_the_write(self, account, server, child, during, lock):
        """So is one whose write had to wait when the signal came."""
        held = lock(account)
        during(held.take)
        with child() as command:
            wait_until(lambda: server.token_requests, command.complaints)
            command.process.send_signal(signal.SIGTERM)
            with pytest.raises(subprocess.TimeoutExpired):
                command.process.wait(A_MOMENT)
            held.release()
            assert command.wait() == 0, command.complaints()
        assert_stored(account, server)


class Pool:
    """A Celery worker that works in processes of its own, and can end them."""

    def __init__(self, folder):
        self.url = f"filesystem://{folder}"
        self.log = folder / "worker.log"
        command = [sys.executable, "-m", "celery", "-A", "tests.celery_app", *POOL]
        # What is killed leaves half a file of measurements.
        variables = {
            name: value
            for name, value in environment_of_children().items()
            if "COVERAGE" not in name
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                env={**variables, "TEST_BROKER_URL": self.url},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def says(self, words):
        """Wait until it has logged the words."""
        wait_until(lambda: words in self.log.read_text(), self.log.read_text)

    def says_after(self, earlier, words):
        """Wait until it has logged the words after others."""

        def later():
            return self.log.read_text().partition(earlier)[2]

        wait_until(lambda: words in later(), self.log.read_text)

    def kill(self):
        """End it and its processes."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def shared_pool(django_db_setup, tmp_path_factory):
    pool = Pool(tmp_path_factory.mktemp("celery"))
    yield pool
    pool.kill()


@pytest.fixture
def publisher():
    """Let this process send tasks to a pool, `publisher(pool)`."""
    before = current_app._get_current_object()
    apps = []

    def use(pool):
        apps.append(configure(Celery("publisher"), pool.url))
        apps[-1].set_current()
        return pool

    yield use
    for app in apps:
        app.close()
    _set_current_app(before)


@pytest.fixture
def pool(account, shared_pool, publisher):
    return publisher(shared_pool)


class Sent:
    """A task that is sent; what the pool logs of it names its ID."""

    def __init__(self, order, account):
        self.task, self.arguments = {
            "task": (tasks.refresh_account, [str(account.pk)]),
            "sweep": (tasks.refresh_due_accounts, []),
        }[order]
        self.id = str(uuid.uuid4())

    def go(self, **limits):
        self.task.apply_async(self.arguments, task_id=self.id, **limits)

    def told(self, words):
        return words.format(f"{self.task.name}[{self.id}]")


SOFT = "Soft time limit (1s) exceeded for {}"
HARD = "Hard time limit (1s) exceeded for {}"
SUCCEEDED = "Task {} succeeded"
RAISED = "Task {} raised unexpected: SoftTimeLimitExceeded"


class TestCelery:
    def test_e06_the_limits_leave_time_for_a_call_and_its_write(self):
        """No limit is reached by a provider or a database that uses all its time."""
        one_call = conf.OAUTH_ACCOUNTS_HTTP_TIMEOUT + LEASE_SECONDS
        assert refresh.WAIT_SECONDS + one_call < tasks.SOFT_TIME_LIMIT
        assert tasks.TASK_SECONDS + one_call + sweep.GRACE_SECONDS < (
            tasks.SOFT_TIME_LIMIT
        )
        assert tasks.SOFT_TIME_LIMIT + one_call - LEASE_SECONDS < tasks.TIME_LIMIT
        for task in (tasks.refresh_account, tasks.refresh_due_accounts):
            assert task.soft_time_limit == tasks.SOFT_TIME_LIMIT
            assert task.time_limit == tasks.TIME_LIMIT

    def test_e06_warm_shutdown(
        self, account, server, during, answer_late, publisher, tmp_path
    ):
        """SIGTERM during the call: the task ends, and its answer is stored."""
        pool = publisher(Pool(tmp_path))
        try:
            during(lambda request: pool.process.terminate())
            (sent := Sent("task", account)).go()
            pool.says(sent.told(SUCCEEDED))
            assert "Warm shutdown" in pool.log.read_text()
        finally:
            pool.kill()
        assert_stored(account, server)

    def test_e06_soft_limit_during_the_call(self, account, server, pool, during):
        """A sweep that is interrupted waits for its calls and stores what they bring."""
        sent = Sent("sweep", account)
        during(lambda request: pool.says(sent.told(SOFT)))
        sent.go(soft_time_limit=1)
        pool.says(sent.told(RAISED))
        assert_stored(account, server)

    @pytest.mark.postgres
    @pytest.mark.mariadb
    @pytest.mark.parametrize("order", ["task", "sweep"])
    def test_e06_soft_limit_during_the_write(
        self, account, server, pool, during, lock, order
    ):
        """An answer whose write is interrupted is stored all the same."""
        held, sent = lock(account), Sent(order, account)
        during(held.take)
        sent.go(soft_time_limit=1)
        wait_until(lambda: server.token_requests, pool.log.read_text)
        if order != "sweep":
            # A sweep waits for no lock; it tries again and again.
            wait_until(somebody_waits)
        pool.says(sent.told(SOFT))
        held.release()
        pool.says(sent.told(RAISED))
        assert_stored(account, server)

    @pytest.mark.parametrize("order", ["task", "sweep"])
    def test_e06_hard_limit_during_the_call(
        self, account, server, pool, during, later, order
    ):
        """A process that is ended by force leaves a lease that runs out (E5)."""
        sent, ended = Sent(order, account), threading.Event()
        during(
            # The limit is logged before anything happens.
            lambda request: pool.says_after(sent.told(HARD), "exited with"),
            lambda request: ended.set(),
        )
        server.script(Answer(drop=True))
        sent.go(time_limit=1)
        assert ended.wait(30), pool.log.read_text()
        server.on_token_request = None

        assert sweep.run().done == 0
        later()
        assert sweep.run().refreshed == 1
        row = ConnectedAccount.objects.get(pk=account.pk)
        assert (row.status, row.generation, row.lease) == ("active", 1, None)
        assert len(server.token_requests) == 2
        assert server.replays == 0
