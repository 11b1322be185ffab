"""ATOMIC_REQUESTS on a database of another alias, in a project of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from django.db import connections
from django.views.generic import View

from oauth_accounts import pages, views

SETTINGS = """
from tests.settings import *
from tests.settings import INSTALLED_APPS

FOLDER = {folder!r}
DATABASES = {{
    alias: {{"ENGINE": "django.db.backends.sqlite3", "NAME": f"{{FOLDER}}/{{alias}}"}}
    for alias in ("default", "accounts")
}}
DATABASES["accounts"]["ATOMIC_REQUESTS"] = True
DATABASE_ROUTERS = ["projects_router.Router"]
"""
ROUTER = """
class Router:
    def db_for_read(self, model, **hints):
        return "accounts"

    db_for_write = db_for_read
"""
PROJECT = """
import json

import django

django.setup()

from django.contrib.auth.models import User
from django.core.management import call_command
from django.test.utils import setup_test_environment

from oauth_accounts.models import ConnectedAccount, Provider
from oauth_accounts.testing.server import Answer, FakeProvider
from tests.views.browser import Browser

setup_test_environment(debug=True)
for alias in ("default", "accounts"):
    call_command("migrate", database=alias, verbosity=0)
with FakeProvider() as server:
    Provider.objects.create(slug="fake", **server.as_provider_fields())
    browser = Browser(User.objects.create_user("anna"), server)
    path = browser.consent(browser.start())
    server.script(Answer(status=500))
    statuses = [browser.get(path).status_code for _again in range(2)]
    statuses.append(browser.get(browser.consent(browser.start())).status_code)
    print(json.dumps([statuses, len(server.token_requests)]))
    assert ConnectedAccount.objects.using("accounts").count() == 1
"""


def test_a2_5_on_a_database_of_another_alias(
    tmp_path: Path, project_root: Path
) -> None:
    (tmp_path / "projects_settings.py").write_text(
        SETTINGS.format(folder=str(tmp_path))
    )
    (tmp_path / "projects_router.py").write_text(ROUTER)
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "projects_settings",
        "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)]),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROJECT],
        env=environment,
        cwd=project_root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    statuses, exchanges = json.loads(done.stdout)
    # Failed, burned all the same, and a new attempt is stored.
    assert statuses == [503, 400, 302]
    assert exchanges == 2


def test_every_database_is_exempt(monkeypatch: Any) -> None:
    monkeypatch.setitem(connections.settings, "other", {})

    def view(request: Any) -> None:
        """As one of a project."""

    outside = pages.outside_transactions(view)
    assert outside._non_atomic_requests == {"default", "other"}
    exempt = views.CallbackView.as_view()._non_atomic_requests
    assert exempt == {"default"}
    assert not hasattr(View.as_view(), "_non_atomic_requests")
