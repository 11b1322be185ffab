"""docs/security.md: every requirement has a test, and every test of one stands there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
PAGE = TESTS.parent / "docs" / "security.md"

NUMBERED = {
    "A1.": 14,
    "A2.": 19,
    "A3.": 14,
    "A4.": 8,
    "A5.": 7,
    "A6.": 6,
    "A8.": 9,
    "B": 40,
    "C1.": 13,
    "C3.": 10,
    "D": 15,
    "E": 41,
}
ROWS = {
    *(f"{part}{n}" for part, last in NUMBERED.items() for n in range(1, last + 1)),
    *("C2", "C4", "C5"),
}
# These say why there is nothing to test.
WITHOUT_TEST = {"B15", "B19", "C1.13", "C3.9"}
REASONS = ("does not apply: ", "accepted: ", "out of scope: ")

# A row's number in the name of a test: a1_13, b7, c3 or c3_4, e01. Three digits are the
# number of a check.
NUMBER = r"(?:a\d_\d{1,2}|c[13]_\d{1,2}|c\d|[bde]\d{1,2})(?!\d)"
NAMED = re.compile(rf"test((?:_{NUMBER})+)(?:_|$)")


def listed() -> dict[str, str]:
    """Return the last cell of each row of the tables."""
    found = re.findall(
        r"^\| ([A-E]\d+(?:\.\d+)?) \|.*\| ([^|]+) \|$", PAGE.read_text(), re.MULTILINE
    )
    assert len(found) == len(dict(found)), "a row stands there twice"
    return dict(found)


def named_in(cell: str) -> set[str]:
    return set(re.findall(r"`([\w/]+\.py::test_\w+)`", cell))


def existing() -> dict[str, str]:
    """Return the tests there are, by path and name."""
    return {
        f"{path.relative_to(TESTS).as_posix()}::{node.name}": node.name
        for path in TESTS.rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def rows_of(name: str) -> set[str]:
    """Return the rows that a test is named after."""
    found = NAMED.match(name)
    if found is None:
        return set()
    numbers = re.findall(NUMBER, found[1])
    parts = [[number[0].upper(), *number[1:].split("_")] for number in numbers]
    return {letter + ".".join(str(int(n)) for n in rest) for letter, *rest in parts}


def test_every_row_is_listed() -> None:
    assert set(listed()) == ROWS


def test_every_row_has_a_test_or_says_why_not() -> None:
    without = {row for row, cell in listed().items() if not named_in(cell)}
    assert without == WITHOUT_TEST
    for row in WITHOUT_TEST:
        assert listed()[row].startswith(REASONS), row


def test_every_test_that_is_named_exists() -> None:
    named = {test for cell in listed().values() for test in named_in(cell)}
    assert named - set(existing()) == set()


def test_every_test_of_a_row_is_named() -> None:
    cells = {row: named_in(cell) for row, cell in listed().items()}
    # A test of C3 as a whole may stand in any row of C3.
    for part in ("C1", "C3"):
        cells[part] = set().union(*(t for r, t in cells.items() if r[:3] == f"{part}."))
    unnamed = {
        (row, test)
        for test, name in existing().items()
        for row in rows_of(name)
        if test not in cells.get(row, ())
    }
    assert unnamed == set()


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("test_a1_13_many", {"A1.13"}),
        ("test_a1_3_a1_4_each", {"A1.3", "A1.4"}),
        ("test_e01_web", {"E1"}),
        ("test_e010_local_times", set()),
        ("test_d9_256_kb_is_enough", {"D9"}),
        ("test_c3_a8_9_the_list", {"C3", "A8.9"}),
        ("test_c3_4_sentry", {"C3.4"}),
        ("test_a3_14_b29_nothing", {"A3.14", "B29"}),
        ("test_a_new_account", set()),
    ],
)
def test_names_are_read_as_they_are_meant(name: str, rows: set[str]) -> None:
    assert rows_of(name) == rows
