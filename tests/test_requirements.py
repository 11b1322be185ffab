"""B37: the floors of setup.cfg close the advisories, and are what the suite also runs on."""

from __future__ import annotations

import configparser
from collections.abc import Iterable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

# What users install; the rest is for those who develop this package.
RUNTIME = ("celery", "postgres", "mysql", "redis")
# What the environment `lowest` installs on top.
TESTED = (*RUNTIME, "test", "browser")


def requirements(lines: Iterable[str]) -> list[Requirement]:
    texts = (line.partition("#")[0].strip() for line in lines)
    return [Requirement(text) for text in texts if text]


@pytest.fixture
def declared(project_root: Path) -> dict[str, list[Requirement]]:
    """The requirements in setup.cfg by extra; "" is what always comes along."""
    config = configparser.ConfigParser()
    config.read(project_root / "setup.cfg")
    extras = {
        name: requirements(text.splitlines())
        for name, text in config["options.extras_require"].items()
    }
    always = config["options"]["install_requires"]
    return {**extras, "": requirements(always.splitlines())}


def floors(declared: dict[str, list[Requirement]], *extras: str) -> dict[str, Version]:
    """Return the highest floor of each package."""
    found: dict[str, Version] = {}
    for requirement in (one for extra in extras for one in declared[extra]):
        (floor,) = requirement.specifier
        assert floor.operator == ">=", requirement
        name, version = requirement.name.lower(), Version(floor.version)
        found[name] = max(version, found.get(name, version))
    return found


@pytest.mark.parametrize(
    "floor", ["urllib3>=2.6.3", "requests>=2.32.4", "oauthlib>=4.0"]
)
def test_b37_the_floors_that_were_asked_for_are_declared(
    declared: dict[str, list[Requirement]], floor: str
) -> None:
    assert Requirement(floor) in declared[""]


def test_b36_b37_no_floor_is_below_the_release_that_closed_an_advisory(
    declared: dict[str, list[Requirement]], project_root: Path
) -> None:
    lines = (project_root / "tests" / "advisories.txt").read_text().splitlines()
    closed = floors({"": requirements(lines)}, "")
    entries = [line for line in lines if line and not line.startswith("#")]
    assert all("CVE-" in line or "GHSA-" in line for line in entries)
    ours = floors(declared, "", *RUNTIME)
    assert {name: ours[name] for name in closed if ours[name] < closed[name]} == {}


def test_the_lowest_environment_has_exactly_the_floors(
    declared: dict[str, list[Requirement]], project_root: Path
) -> None:
    lines = (project_root / "tests" / "lowest.txt").read_text().splitlines()
    pinned = {}
    for requirement in requirements(lines):
        (pin,) = requirement.specifier
        assert pin.operator == "=="
        pinned[requirement.name.lower()] = Version(pin.version)
    assert pinned == floors(declared, "", *TESTED)
