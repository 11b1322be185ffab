"""Child processes of the example are watched, and gone in the end."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time

import pytest

from example_project import processes
from example_project.processes import Process, ProcessFailed

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"


@pytest.fixture
def make(tmp_path):
    made = []

    def make(code, name="child"):
        process = Process(
            name=name,
            command=[sys.executable, "-c", code],
            environment=os.environ,
            folder=tmp_path,
            log=tmp_path / f"{name}.log",
        )
        made.append(process)
        return process

    yield make
    for process in made:
        if process.child and process.returncode() is None:
            process.signal_group(signal.SIGKILL)
            process.child.wait()


def wait_for_log(process, words):
    deadline = time.monotonic() + 20
    while words not in process.log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_there(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_stop_ends_what_runs(make):
    running, not_started = make("import time; time.sleep(60)", "a"), make("pass", "b")
    running.start()
    running.check_alive()
    processes.stop([running, not_started])
    assert running.returncode() == -signal.SIGTERM
    assert not_started.returncode() is None


def test_stop_kills_what_does_not_end_and_its_children(make, monkeypatch):
    monkeypatch.setattr(processes, "PATIENCE", 0.3)
    code = (
        "import subprocess, sys;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        f"{STUBBORN} print(child.pid, 'started', flush=True); time.sleep(60)"
    )
    process = make(code)
    process.start()
    wait_for_log(process, "started")
    grandchild = int(process.log.read_text().split()[0])
    processes.stop([process])
    assert process.returncode() == -signal.SIGKILL
    deadline = time.monotonic() + 10
    while is_there(grandchild) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_there(grandchild)


def test_one_that_ends_by_itself_is_noticed(make):
    process = make("print('first'); print('out of disk'); raise SystemExit(3)", "db")
    process.start()
    process.child.wait(20)
    with pytest.raises(ProcessFailed, match="db ended with 3"):
        process.check_alive()
    assert process.tail() == "first\nout of disk"
    processes.stop([process])  # nothing to do, no error


def test_wait_wants_success(make):
    good, bad, slow = make("pass", "a"), make("exit(2)", "b"), make(STUBBORN, "c")
    slow.command = [sys.executable, "-c", "import time; time.sleep(60)"]
    for process in (good, bad, slow):
        process.start()
    good.wait(20)
    with pytest.raises(ProcessFailed, match="b came to 2"):
        bad.wait(20)
    with pytest.raises(ProcessFailed, match="c came to no end"):
        slow.wait(0.05)


def test_tail_is_short_and_never_empty(make):
    process = make("[print(number) for number in range(100)]")
    process.start()
    process.wait(20)
    assert process.tail().splitlines()[-1] == "99"
    assert len(process.tail().splitlines()) == processes.TAIL_LINES
    process.log.write_text("")
    assert process.tail() == "(it said nothing)"


def test_a_group_that_is_gone_may_be_signalled(make):
    process = make("pass")
    process.start()
    process.wait(20)
    process.signal_group(signal.SIGKILL)


def test_ports_are_free_and_different():
    ports = processes.free_ports(5)
    assert len(set(ports)) == 5
    assert all(processes.is_free(port) for port in ports)
    with socket.create_server(("127.0.0.1", ports[0])):
        assert not processes.is_free(ports[0])


@pytest.fixture
def signals_restored():
    numbers = processes.ENDING_SIGNALS
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("signals_restored")
@pytest.mark.parametrize("number", processes.ENDING_SIGNALS)
def test_what_asks_to_end_is_an_interrupt(number):
    processes.heed_signals()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)
    processes.ignore_signals()
    signal.raise_signal(number)
