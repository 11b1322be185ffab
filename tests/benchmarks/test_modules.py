"""The benchmarks can be started, and say of each promise whether it holds."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks.budget import BUDGET, judge
from benchmarks.report import BEGIN, END, OTHERS, PAGE, Report, markdown

HELD = {
    "throughput/ours-celery/0/rate": 1600.0,
    "throughput/ours-celery/0/sustained": 1700.0,
    "throughput/ours-2-processes/0/sustained": 1600.0,
    "throughput/task-per-account/0/rate": 100.0,
    "throughput/ours-celery/50/sustained": 1200.0,
    "throughput/ours-celery/50/busy": 80.0,
    "throughput/ours-celery/200/sustained": 600.0,
    "throughput/ours-celery/200/busy": 60.0,
    "flows/ours/cpu": 5.0,
    "flows/authlib/cpu": 6.0,
    "flows/floor/cpu": 4.0,
    "flows/ours/queries": 12.0,
    "fresh/get and token/ratio": 1.03,
    "fresh/loaded/queries": 0.0,
    "claim/due/10000": 4.0,
    "claim/due/1000000": 5.0,
    "claim/nothing due/10000": 1.0,
    "claim/nothing due/1000000": 1.5,
    "memory/above start": 20.0,
    "memory/growth in the second half": 0.5,
    "memory/accounts": 1_000_000.0,
    "herd/1 callers in 1/slowest": 220.0,
    "herd/100 callers in 1/slowest": 250.0,
    "herd/100 callers in 1/requests": 1.0,
    "herd/100 callers in 4/slowest": 260.0,
    "herd/100 callers in 4/requests": 1.0,
    "rotate/rows": 12_000.0,
    "rotate/ratio": 0.55,
    "rotate/cpu ratio": 0.57,
    "admin list/queries": 5.0,
    "admin list/time": 60.0,
    "admin list/accounts": 1_000_000.0,
    "admin overview/queries": 9.0,
    "admin overview/time": 60.0,
    "admin overview/accounts": 1_000_000.0,
    "imports/added": 120.0,
    "imports/added by the job alone": 80.0,
    "imports/loaded too early": 0.0,
}
# A figure that is one too bad for its line.
MISSED = {
    "throughput/task-per-account/0/rate": 200.0,
    "throughput/ours-celery/50/sustained": 600.0,
    "throughput/ours-celery/200/sustained": 100.0,
    "flows/ours/cpu": 7.0,
    "flows/ours/queries": 13.0,
    "fresh/get and token/ratio": 1.2,
    "fresh/loaded/queries": 1.0,
    "claim/due/1000000": 40.0,
    "claim/nothing due/1000000": 3.0,
    "memory/above start": 80.0,
    "memory/growth in the second half": 30.0,
    "herd/100 callers in 1/slowest": 400.0,
    "herd/100 callers in 4/requests": 2.0,
    "rotate/ratio": 0.4,
    "admin list/queries": 12.0,
    "admin list/time": 900.0,
    "admin overview/queries": 10.0,
    "admin overview/time": 100.0,
    "imports/added": 400.0,
    "imports/loaded too early": 1.0,
}


def test_every_line_holds() -> None:
    verdicts = judge(HELD)
    assert [line for line, _ in verdicts] == list(BUDGET)
    assert all(verdict.held for _, verdict in verdicts)


@pytest.mark.parametrize("name", MISSED)
def test_a_figure_that_is_too_bad_misses_one_line(name: str) -> None:
    verdicts = judge({**HELD, name: MISSED[name]})
    assert [verdict.held for _, verdict in verdicts].count(False) == 1


def test_a_small_table_proves_nothing_about_a_million_rows() -> None:
    sizes = ("admin list/accounts", "admin overview/accounts", "memory/accounts")
    small = {**HELD, **dict.fromkeys(sizes, 1_000.0)}
    del small["claim/due/1000000"], small["claim/nothing due/1000000"]
    assert [verdict.held for _, verdict in judge(small)].count(None) == 5


def test_lines_that_were_not_measured_are_left_out() -> None:
    assert judge({}) == []


def test_the_documentation_has_a_place_for_the_figures() -> None:
    text = PAGE.read_text()
    assert text.count(BEGIN) == text.count(END) == 1
    figures = {"claim/nothing due/10000": {"value": 1.0}}
    report = Report({"machine": {"CPU": "made up"}, "quick": False, "figures": figures})
    assert "| claim when nothing is due |" in markdown(report)


def test_a_line_that_was_measured_beside_others_is_named() -> None:
    others = {"flows": 2.0, "herd": 31.0}
    figures = {f"{OTHERS}{line}": {"value": share} for line, share in others.items()}
    report = Report({"machine": {}, "quick": False, "figures": figures})
    (warning,) = report.warnings()
    assert "(herd 31 %)" in warning


@pytest.mark.skipif(
    not all(map(find_spec, ("allauth", "authlib", "matplotlib", "social_django"))),
    reason="needs the extra [bench]",
)
def test_the_command_starts(project_root: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--help"]
    found = subprocess.run(
        command, cwd=project_root, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    assert "--quick" in found.stdout
