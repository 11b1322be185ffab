"""The demo's own behaviour: what it prints, and that it ends well however a step ends."""

from __future__ import annotations

import io
import signal

import pytest
from rich.console import Console

from example_project import processes
from example_project.demo import __main__ as demo
from example_project.demo.report import Outcome, Report, make_table, mask
from example_project.demo.search import search_files
from example_project.demo.visit import StepFailed, require
from example_project.processes import ProcessFailed

SECRET = "sk-2b7e151628aed2a6abf7158809cf4f3c"


def outcome(held=True, title="The user logs in", evidence="grace is logged in"):
    return Outcome(title=title, held=held, evidence=evidence, seconds=0.5)


def printed(thing, **options):
    console = Console(file=io.StringIO(), width=100, **options)
    console.print(thing)
    return console.file.getvalue()


class FakeStack:
    """Takes the place of the processes, and notes what is asked of it."""

    def __init__(self, **options):
        self.state_dir = options["state_dir"]
        self.running = []
        self.calls = []
        FakeStack.newest = self

    def __getattr__(self, name):
        def call():
            self.calls.append(name)
            return f"<{name}>"

        return call


@pytest.fixture(autouse=True)
def signals_restored():
    before = {n: signal.getsignal(n) for n in processes.ENDING_SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the demo with steps of one's own; return exit code and output."""

    def run(*steps):
        monkeypatch.setattr(demo, "Stack", FakeStack)
        monkeypatch.setattr(demo, "STEPS", [(step.__name__, step) for step in steps])
        monkeypatch.setattr(demo, "TOTAL", len(steps) + 2)
        return demo.main(), capsys.readouterr().out

    return run


def holds(visit, progress):
    progress("half way")
    return "seen with own eyes"


def fails(visit, progress):
    raise StepFailed("the page is blank")


def test_exit_code_is_0_when_every_step_held(run):
    code, output = run(holds, holds)
    assert code == 0
    assert output.count("seen with own eyes") == 2
    assert "4 of 4 steps held" in output
    assert "\x1b" not in output  # no colours in a log
    assert FakeStack.newest.calls[:2] == ["prepare", "start"]
    assert not FakeStack.newest.state_dir.exists()


def test_after_a_failure_nothing_else_is_tried_and_everything_stops(run):
    code, output = run(fails, holds)
    assert code == 1
    assert "FAILED" in output
    assert "the page is blank" in output
    assert "seen with own eyes" not in output
    assert "<tails>" in output
    assert FakeStack.newest.calls[-2:] == ["tails", "stop"]
    assert not FakeStack.newest.state_dir.exists()


def test_a_process_that_dies_is_a_failure(run):
    def dies(visit, progress):
        raise ProcessFailed("worker ended with 1")

    code, output = run(dies)
    assert code == 1
    assert "worker ended with 1" in output


def test_an_interrupt_stops_everything(run):
    def is_interrupted(visit, progress):
        signal.raise_signal(signal.SIGTERM)

    code, output = run(is_interrupted, holds)
    assert code == 130
    assert "Interrupted" in output
    assert FakeStack.newest.calls[-1] == "stop"
    assert not FakeStack.newest.state_dir.exists()


def test_a_bug_is_not_hidden_and_everything_stops(run):
    def has_a_bug(visit, progress):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(has_a_bug)
    assert FakeStack.newest.calls[-1] == "stop"


def test_table_tells_without_colours():
    table = make_table([outcome(), outcome(held=False, evidence="[red]no[/red] page")])
    text = printed(table)
    assert "held" in text
    assert "FAILED" in text
    assert "[red]no[/red] page" in text  # evidence is no markup


def test_steps_that_were_not_taken_did_not_hold():
    report = Report(Console(file=io.StringIO()), 2)
    report.add(outcome())
    assert not report.held
    report.add(outcome())
    assert report.held
    report.outcomes[0] = outcome(held=False)
    assert not report.held


def test_progress_is_shown_on_a_terminal():
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=90)
    report = Report(console, 1)
    with report.step("The token is refreshed") as progress:
        progress("generation 1, token lives 7 s more")
        console.file.flush()
    report.add(outcome())
    assert "1/1" in file.getvalue()
    assert "held" in file.getvalue()


@pytest.mark.parametrize("secret", [SECRET, SECRET.encode()])
def test_mask_shows_no_more_than_the_beginning(secret):
    assert mask(secret) == f"sk-2…({len(SECRET)} characters)"


def test_require():
    require(1, "nothing happens")
    with pytest.raises(StepFailed, match="no page"):
        require([], "no page")


def test_search_finds_what_is_there(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "web.log").write_text(f"GET /?token={SECRET} 200")
    (tmp_path / "database").write_bytes(b"\xff\x00" + SECRET.encode())
    assert search_files(tmp_path, [SECRET, "nothing like it"]) == (2, [2, 0])
