"""What users install is complete: nothing of the package stays behind in the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path

import pytest

import oauth_accounts

LEFT_BEHIND = shutil.ignore_patterns(
    ".*", "*.egg-info", "__pycache__", "_build", "build", "dist", "*.sqlite3"
)


@pytest.fixture(scope="module")
def distributions(project_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist and the wheel that was built from that sdist."""
    source = tmp_path_factory.mktemp("packaging") / "source"
    shutil.copytree(project_root, source, ignore=LEFT_BEHIND)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", "../dist"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COV")}
    built = subprocess.run(
        command,
        cwd=source,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return source.parent / "dist"


@pytest.fixture(scope="module")
def wheel_names(distributions: Path) -> set[str]:
    (wheel,) = distributions.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def metadata(distributions: Path) -> Message:
    (wheel,) = distributions.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith("/METADATA"))
        return HeaderParser().parsestr(archive.read(name).decode())


def package_files(project_root: Path) -> set[str]:
    return {
        path.relative_to(project_root).as_posix()
        for path in (project_root / "oauth_accounts").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


class TestWheel:
    def test_holds_every_file_of_the_package(
        self, project_root: Path, wheel_names: set[str]
    ) -> None:
        assert package_files(project_root) - wheel_names == set()

    @pytest.mark.parametrize(
        "name",
        [
            "oauth_accounts/py.typed",
            "oauth_accounts/migrations/0001_initial.py",
            "oauth_accounts/management/commands/oauth_accounts.py",
        ],
    )
    def test_holds_what_django_looks_for(
        self, wheel_names: set[str], name: str
    ) -> None:
        assert name in wheel_names

    def test_holds_templates(self, wheel_names: set[str]) -> None:
        templates = "oauth_accounts/templates/oauth_accounts/"
        assert any(name.startswith(templates) for name in wheel_names)

    @pytest.mark.parametrize("language", ["de", "es", "fr", "ja"])
    def test_holds_the_translations_and_their_sources(
        self, wheel_names: set[str], language: str
    ) -> None:
        catalogue = f"oauth_accounts/locale/{language}/LC_MESSAGES/django"
        assert {f"{catalogue}.mo", f"{catalogue}.po"} <= wheel_names

    def test_brings_nothing_else_into_site_packages(
        self, wheel_names: set[str]
    ) -> None:
        folders = {name.partition("/")[0] for name in wheel_names}
        assert folders == {
            "oauth_accounts",
            f"django_oauth_accounts-{oauth_accounts.__version__}.dist-info",
        }

    def test_says_its_version_license_and_python(self, metadata: Message) -> None:
        assert metadata["Version"] == oauth_accounts.__version__
        assert "BSD-3-Clause" in (metadata["License-Expression"] or metadata["License"])
        assert metadata["Requires-Python"] == ">=3.11"

    def test_does_not_require_celery(self, metadata: Message) -> None:
        required = metadata.get_all("Requires-Dist", [])
        assert any(line.startswith("celery") for line in required)
        assert [
            r for r in required if r.startswith("celery") and "extra" not in r
        ] == []


class TestSourceDistribution:
    def test_holds_tests_docs_and_the_example(self, distributions: Path) -> None:
        (sdist,) = distributions.glob("*.tar.gz")
        with tarfile.open(sdist) as archive:
            names = {name.partition("/")[2] for name in archive.getnames()}
        assert {"LICENSE", "SECURITY.md", "CHANGELOG.md", "Makefile"} <= names
        assert {"tests/conftest.py", "docs/index.md"} <= names
        assert any(name.startswith("example_project/") for name in names)


def test_the_installed_wheel_is_what_tox_tests(project_root: Path) -> None:
    imported = Path(oauth_accounts.__file__).resolve()
    from_checkout = imported.is_relative_to(project_root / "oauth_accounts")
    assert from_checkout != (os.environ.get("OAUTH_ACCOUNTS_TEST_WHEEL") == "1")
