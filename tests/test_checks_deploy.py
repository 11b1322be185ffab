"""C4: the quickstart's project, with what Django asks of a site that is deployed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management.utils import get_random_secret_key

from oauth_accounts import checks
from tests import markdown
from tests.conftest import ROOT

# Django's own deployment checklist, and nothing else.
DEPLOYED = f"""
DEBUG = False
SECRET_KEY = {get_random_secret_key()!r}
ALLOWED_HOSTS = ["www.example.com"]
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
SECURE_HSTS_SECONDS = 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True
MAILERS = {{"default": {{"BACKEND": "django.core.mail.backends.smtp.EmailBackend"}}}}
OAUTH_ACCOUNTS_BASE_URL = "https://www.example.com"
"""


class Project:
    """
    What `startproject` and the README's settings make, in a folder.

    more: lines at the end of the settings.
    """

    def __init__(self, folder: Path, more: str) -> None:
        self.folder = folder
        (folder / "fernet.key").write_text("b7Jq0v_made-up-for-this-test_9XkZ2mWc4TyLs")
        (folder / "provider.txt").write_text("address\n{}\n")
        self.manage("startproject", "mysite", ".", program=("-m", "django"))
        blocks = [block.text for block in markdown.quickstart(ROOT / "README.md")]
        (quickstart,) = (text for text in blocks if "INSTALLED_APPS +=" in text)
        (schedule,) = (text for text in blocks if "CELERY_BEAT_SCHEDULE =" in text)
        with (folder / "mysite" / "settings.py").open("a") as settings:
            settings.write(f"{quickstart}\n{schedule}\n{DEPLOYED}\n{more}\n")

    def manage(
        self, *arguments: str, program: tuple[str, ...] = ("manage.py",)
    ) -> subprocess.CompletedProcess[str]:
        left_out = {"DJANGO_SETTINGS_MODULE", *checks.FORBIDDEN_ENVIRONMENT}
        environment = {k: v for k, v in os.environ.items() if k not in left_out}
        # In the same order, so that a tested wheel is not shadowed by the checkout.
        path = os.pathsep.join([str(self.folder), *filter(None, sys.path)])
        return subprocess.run(
            [sys.executable, *program, *arguments],
            cwd=self.folder,
            env={**environment, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )

    def check(self) -> subprocess.CompletedProcess[str]:
        return self.manage("check", "--deploy", "--fail-level", "WARNING")


def test_c4_check_deploy_says_nothing(tmp_path: Path) -> None:
    project = Project(tmp_path, "")
    done = project.check()
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout
    migrated = project.manage("migrate")
    assert migrated.returncode == 0, migrated.stderr
    done = project.manage(
        "check", "--deploy", "--database=default", "--fail-level=WARNING"
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("FERNET_KEYS = None", "E001"),
        (
            "SESSION_ENGINE = 'django.contrib.sessions.backends.signed_cookies'",
            "W010",
        ),
        ("SESSION_COOKIE_SAMESITE = 'Strict'", "W011"),
        (
            "LOGGING = {'version': 1, 'loggers': {'urllib3': {'level': 'DEBUG'}}}",
            "W012",
        ),
        ("LOGGING = {'version': 1, 'root': {'level': 'DEBUG'}}", "W012"),
    ],
)
def test_c4_check_deploy_finds_one_wrong_setting(
    tmp_path: Path, line: str, found: str
) -> None:
    done = Project(tmp_path, line).check()
    assert done.returncode == 1
    assert done.stderr.count("(oauth_accounts.") == 1
    assert f"oauth_accounts.{found}" in done.stderr
