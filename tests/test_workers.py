"""What a process that serves pages loads at its start, and how it tells the workers."""

from __future__ import annotations

import subprocess
import sys

import pytest
from celery import Celery, current_app
from celery._state import _set_current_app

from oauth_accounts import workers
from oauth_accounts.testing.factories import ConnectedAccountFactory

# With the admin, which imports every room that pages of this app use.
SETUP = """
import sys, django
django.setup()
from django.contrib import admin
from oauth_accounts.models import ConnectedAccount
assert ConnectedAccount in admin.site._registry
late = ("celery", "kombu", "jwt", "oauth_accounts.tasks", "oauth_accounts.testing")
print([name for name in late if name in sys.modules])
"""
# As a project does: its app is made before or after the setup, and tasks are named nowhere.
REVOKE = """
import sys, django
django.setup()
from celery import Celery
app = Celery("site", broker="memory://")
from oauth_accounts.models import ConnectedAccount
ConnectedAccount.objects.get().revoke()
with app.connection_for_read() as connection:
    message = app.amqp.queues["celery"](connection).get(no_ack=True)
print(message.headers["task"])
"""


def run(code, environment):
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_setup_loads_neither_celery_nor_jwt(child_environment):
    assert run(SETUP, child_environment) == "[]"


def test_a_revocation_is_sent_where_nobody_has_imported_the_tasks(
    child_environment, account_with_tokens
):
    sent = run(REVOKE, child_environment)
    assert sent == "oauth_accounts.tasks.deliver_revocations"


@pytest.fixture
def account_with_tokens(transactional_db):
    return ConnectedAccountFactory(access_token="at", refresh_token="rt")


def test_a_project_without_celery_tells_nobody(monkeypatch):
    monkeypatch.delitem(sys.modules, "celery")
    assert workers.tell("refresh_due_accounts") is False


def test_a_broker_that_takes_it(transactional_db):
    before = current_app._get_current_object()
    app = Celery("site", broker="memory://")
    app.set_current()
    try:
        assert workers.tell("refresh_due_accounts") is True
    finally:
        app.close()
        _set_current_app(before)


WITHOUT_CELERY = """
import sys
sys.modules["celery"] = None
import django
django.setup()
from oauth_accounts import tasks
assert not tasks.HAS_CELERY
assert tasks.enqueue(tasks.deliver_revocations) is False
tasks.refresh_due_accounts()
print("done")
"""


def test_the_tasks_are_functions_where_celery_is_not_installed(child_environment):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_CELERY],
        env=child_environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "done\n", done.stderr
