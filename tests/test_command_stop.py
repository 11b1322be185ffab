"""SIGINT and SIGTERM while manage.py oauth_accounts refresh is at work."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress

import pytest

from oauth_accounts.management.stopping import SIGNALS, Stopped, StopSignals
from oauth_accounts.models import ConnectedAccount, PendingRevocation
from oauth_accounts.testing.factories import ConnectedAccountFactory
from oauth_accounts.testing.server import Answer
from tests.command import Child, wait_until

# Long enough for a signal to arrive while the provider is thinking.
THINKING = 1.5


@pytest.fixture
def due(provider, server):
    """Accounts whose tokens have expired."""
    pairs = [server.issue(f"user-{number}") for number in range(12)]
    return [
        ConnectedAccountFactory(
            provider=provider,
            access_token=access_token,
            refresh_token=refresh_token,
            expired=True,
        )
        for access_token, refresh_token in pairs
    ]


@pytest.fixture
def start(child_environment, tmp_path):
    def start(*arguments, environment=child_environment):
        return Child(environment, tmp_path, "refresh", *arguments)

    return start


def thinking(server):
    def answer(request):
        usual = server.respond(request)
        return Answer(status=usual.status, json=usual.json, delay=THINKING)

    return answer


# To go as soon as the sweep finishes what is in flight when it is interrupted.
class TestDuringACall:
    @pytest.mark.parametrize(
        ("arguments", "number", "code"),
        [
            (("--loop",), signal.SIGTERM, 0),
            (("--loop",), signal.SIGINT, 0),
            ((), signal.SIGTERM, 143),
            ((), signal.SIGINT, 130),
        ],
    )
    def test_what_is_running_is_stored(
        self, due, start, server, arguments, number, code
    ):
        server.script(*[thinking(server)] * len(due))
        with start("--workers=2", *arguments) as child:
            wait_until(lambda: server.token_requests, child.complaints)

            assert child.end(number) == code

        sent = len(server.token_requests)
        rows = ConnectedAccount.objects.all()
        assert rows.filter(generation=1).count() == sent
        assert not rows.exclude(lease=None, attempt_started_at=None).exists()
        assert rows.filter(generation=0, refresh_due_at=None).count() == 0
        assert child.err.read_text() == f"Stopped by {number.name}.\n"
        assert server.replays == 0

    def test_nothing_new_is_sent(self, due, start, server):
        server.script(*[thinking(server)] * len(due))
        with start("--workers=2") as child:
            wait_until(lambda: server.token_requests, child.complaints)

            assert child.end() == 143

        assert 1 <= len(server.token_requests) <= 4

    def test_the_second_signal_is_the_end(self, due, start, server, child_environment):
        # What is ended like this leaves half a file of measurements.
        unmeasured = {
            name: value
            for name, value in child_environment.items()
            if not name.startswith("COVERAGE_")
        }
        server.script(*[Answer(status=503, delay=30)] * len(due))
        with start("--loop", environment=unmeasured) as child:
            wait_until(lambda: server.token_requests, child.complaints)
            child.process.send_signal(signal.SIGTERM)

            def dies():
                child.process.send_signal(signal.SIGTERM)
                return child.process.poll() is not None

            wait_until(dies, child.complaints, seconds=10)

            assert child.wait() == -signal.SIGTERM


class TestDuringARevocation:
    def test_its_answer_is_noted(self, due, start, server):
        for account in due:
            account.revoke()
        server.script(*[Answer(delay=THINKING)] * 24, endpoint="revocation")
        with start("--loop") as child:
            wait_until(
                lambda: [r for r in server.requests if r.path == "/revoke"],
                child.complaints,
            )

            assert child.end() == 0

        rows = PendingRevocation.objects.all()
        assert rows.filter(status="confirmed").count() == 1
        assert not rows.exclude(lease=None).exists()


class TestWhileWaiting:
    def test_it_ends_at_once(self, provider, start):
        with start("--loop", "--interval=3600", "-v2") as child:
            child.says("0 refreshed")

            assert child.end() == 0

        assert "Traceback" not in child.complaints()


class TestSignals:
    def test_the_first_one_is_raised_and_the_handlers_come_back(self):
        before = [signal.getsignal(number) for number in SIGNALS]
        with pytest.raises(Stopped, match="SIGTERM") as caught, StopSignals():
            os.kill(os.getpid(), signal.SIGTERM)

        assert caught.value.number == signal.SIGTERM
        assert [signal.getsignal(number) for number in SIGNALS] == before

    def test_it_waits_for_what_is_held_and_the_second_one_does_not(self):
        with pytest.raises(Stopped), StopSignals() as stop:
            stopped_while_held(stop, handlers := [])

        assert handlers == [signal.SIG_DFL] * 2

    def test_one_that_got_lost_is_raised_later(self):
        with StopSignals() as stop:
            with suppress(Stopped):
                os.kill(os.getpid(), signal.SIGTERM)
            with pytest.raises(Stopped):
                stop.check()

    def test_what_is_ignored_stays_ignored(self):
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            with StopSignals():
                assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
                os.kill(os.getpid(), signal.SIGINT)
            assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
        finally:
            signal.signal(signal.SIGINT, before)

    def test_other_threads_have_no_signals(self):
        found = []

        def work():
            with StopSignals() as stop:
                found.append(signal.getsignal(signal.SIGTERM))
                stop.check()

        before = signal.getsignal(signal.SIGTERM)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

        assert found == [before]


def stopped_while_held(stop, seen):
    with stop.held():
        os.kill(os.getpid(), signal.SIGINT)
        seen += [signal.getsignal(number) for number in SIGNALS]
