"""E27, E28: messages that come twice, late or in crowds, and workers of every kind."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta

import pytest
from django.utils import timezone

from oauth_accounts import tasks
from oauth_accounts.beat import BEAT_SCHEDULE
from oauth_accounts.models import ConnectedAccount
from tests.brokers import PAIRED
from tests.command import wait_until
from tests.faults.celeries import FAST_START, CeleryProcess, deliver_again, publisher

POOLS = {
    "solo": ("-P", "solo"),
    "prefork": ("-P", "prefork", "-c", "2"),
    "threads": ("-P", "threads", "-c", "4"),
    "gevent": ("-P", "gevent", "-c", "10"),
}
MANY = 50
TASK = "oauth_accounts.tasks.refresh_due_accounts"


@pytest.fixture(params=PAIRED)
def broker_url(request):
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
def app(broker_url):
    with publisher(broker_url) as app:
        yield app


@pytest.fixture
def celery(broker_url, child_environment, tmp_path):
    """Start `celery ...`; all that were started end with the test."""
    with ExitStack() as stack:
        count = iter(range(100))

        def start(*arguments):
            environment = {**child_environment, "TEST_BROKER_URL": broker_url}
            log = tmp_path / f"celery-{next(count)}.log"
            process = CeleryProcess(environment, log, *arguments)
            stack.callback(process.end)
            return process

        yield start


def start_worker(celery, pool="solo"):
    return celery("worker", *POOLS[pool], *FAST_START, "-l", "info")


def send(app, *arguments, name=TASK, **options):
    app.send_task(name, args=arguments, **options)


def all_refreshed(count):
    return ConnectedAccount.objects.filter(generation=1, lease=None).count() == count


@pytest.mark.parametrize("pool", POOLS)
def test_e27_duplicates_of_every_message_are_harmless(
    pool, app, celery, make_account, server
):
    """
    In each kind of pool: messages come three times, the sweeps run beside each other,
    fifty accounts are refreshed, and the provider sees one request for each.
    """
    accounts = [make_account(f"user-{n}") for n in range(MANY)]
    one = accounts[0]
    send(app)
    send(app, str(one.pk), name="oauth_accounts.tasks.refresh_account")
    send(app, name="oauth_accounts.tasks.deliver_revocations")
    send(app, name="oauth_accounts.tasks.purge_expired_attempts")
    deliver_again(app, 3)
    worker = start_worker(celery, pool)
    worker.says("succeeded in", 12)
    wait_until(lambda: all_refreshed(MANY), worker.text)
    assert len(server.token_requests) == MANY
    assert server.book.replays == 0
    assert "Traceback" not in worker.text()
    # And once more, when all is done: a broker may think that nobody took them.
    send(app)
    send(app, str(one.pk), name="oauth_accounts.tasks.refresh_account")
    worker.says("succeeded in", 14)
    assert len(server.token_requests) == MANY


def test_e27_a_message_that_is_two_hours_late(app, celery, account, server):
    """It has expired, three times; the one that is in time does the work, once."""
    send(app)
    send(app, str(account.pk), name="oauth_accounts.tasks.refresh_account")
    deliver_again(app, 3, expires=timezone.now() - timedelta(hours=2))
    worker = start_worker(celery)
    worker.says("Discarding revoked task", 6)
    assert server.token_requests == []
    send(app)
    worker.says("succeeded in", 1)
    assert len(server.token_requests) == 1


def test_e27_what_the_tasks_send_expires(app, account):
    """No message outlives its use, and none is held back in a worker with an ETA."""
    assert tasks.enqueue(tasks.refresh_account, str(account.pk))
    with app.connection_for_read() as link:
        queue = app.amqp.queues[app.conf.task_default_queue](link)
        message = queue.get(no_ack=True)
    assert message.headers["expires"] is not None
    assert message.headers["eta"] is None
    for entry in BEAT_SCHEDULE.values():
        assert entry["options"]["expires"] > 0


def test_e28_two_beats_and_two_workers(app, celery, make_account, server, tmp_path):
    """Every sweep is sent twice, every second; each account is refreshed once."""
    for n in range(MANY):
        make_account(f"user-{n}")
    workers = [start_worker(celery), start_worker(celery)]
    for number in range(2):
        celery("beat", "-s", str(tmp_path / f"schedule-{number}"))
    wait_until(lambda: all_refreshed(MANY), workers[0].text)
    # As many further sweeps, with nothing left to do.
    before = sum(one.text().count("succeeded in") for one in workers)
    wait_until(
        lambda: sum(one.text().count("succeeded in") for one in workers) >= before + 4
    )
    assert len(server.token_requests) == MANY
    assert server.book.replays == 0
