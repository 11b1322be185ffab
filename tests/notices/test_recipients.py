"""Who gets a notice: the owner, whoever connected, or whom the project names."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django.contrib.auth.models import User

from oauth_accounts import letters, notices
from oauth_accounts.models import ConnectedAccount, Notice
from oauth_accounts.testing.factories import ConnectedAccountFactory

pytestmark = [pytest.mark.faces, pytest.mark.usefixtures("notices_on")]


def told(account: ConnectedAccount) -> tuple[str, str]:
    account.revoke()
    notices.deliver_due()
    return Notice.objects.values_list("status", "last_error").get()


def test_the_owner(account):
    assert letters.recipients(account) == ["ada@example.com"]


def test_whoever_connected_an_account_of_the_application(github, owner):
    account = ConnectedAccountFactory(provider=github, owner=None, connected_by=owner)
    assert letters.recipients(account) == ["ada@example.com"]


def test_nobody_where_nobody_is_known(github, mailbox):
    account = ConnectedAccountFactory(provider=github, owner=None)
    assert told(account) == ("dropped", "no_recipient")


def test_an_owner_without_an_address(account, owner, mailbox):
    User.objects.update(email="")
    assert told(account) == ("dropped", "no_recipient")
    assert mailbox.connections == 0


def test_an_owner_who_is_not_active_gets_none(account, mailbox, settings):
    User.objects.update(is_active=False)
    assert told(account) == ("dropped", "no_recipient")
    settings.OAUTH_ACCOUNTS_GET_NOTICE_RECIPIENTS = lambda account: ["x@example.com"]
    account.refresh_from_db()
    assert letters.recipients(account) == []


def test_nor_does_somebody_who_connected_and_is_not(github, owner):
    User.objects.update(is_active=False)
    owner.refresh_from_db()
    account = ConnectedAccountFactory(provider=github, owner=None, connected_by=owner)
    assert letters.recipients(account) == []


@pytest.mark.parametrize(
    ("answer", "addresses"),
    [
        (["a@example.com", "b@example.com"], ["a@example.com", "b@example.com"]),
        (("a@example.com", "a@example.com"), ["a@example.com"]),
        ("a@example.com", ["a@example.com"]),
        (["Ada <a@example.com>"], ["Ada <a@example.com>"]),
        ([], []),
        (None, []),
        ("", []),
        ([None, "", 5, "nobody", "a@example.com\nBcc: b@example.com"], []),
    ],
)
def test_whom_the_project_names(account, settings, answer, addresses):
    settings.OAUTH_ACCOUNTS_GET_NOTICE_RECIPIENTS = lambda account: answer
    assert letters.recipients(account) == addresses


def name_the_owner(account):
    return [f"{account.owner.username}@{account.provider.slug}.example"]


def test_the_project_may_name_it_by_its_path(account, settings, mailbox):
    settings.OAUTH_ACCOUNTS_GET_NOTICE_RECIPIENTS = f"{__name__}.name_the_owner"
    assert told(account) == ("sent", "")
    assert mailbox.recipients == [["ada@github.example"]]


def test_it_may_ask_for_a_deleted_account_as_well(account, settings, mailbox):
    settings.OAUTH_ACCOUNTS_GET_NOTICE_RECIPIENTS = name_the_owner
    account.delete()
    assert notices.deliver_due().sent == 1
    assert mailbox.recipients == [["ada@github.example"]]


@pytest.mark.parametrize(
    "name",
    ["OAUTH_ACCOUNTS_GET_NOTICE_RECIPIENTS", "OAUTH_ACCOUNTS_GET_NOTICE_LANGUAGE"],
)
@pytest.mark.parametrize("value", [lambda account: 1 / 0, "no.such.function"])
def test_a_callable_that_raises_harms_nothing(
    account, settings, mailbox, caplog, name, value
):
    setattr(settings, name, value)
    assert told(account) == ("waiting", "not_composed")
    account.refresh_from_db()
    assert account.status == "revoked"
    assert "could not be composed" in caplog.text
    assert caplog.records[-1].exc_info is not None


def test_several_get_the_same_mail(account, settings, mailbox):
    addresses = ["a@example.com", "b@example.com"]
    settings.OAUTH_ACCOUNTS_GET_NOTICE_RECIPIENTS = lambda account: addresses
    assert told(account) == ("sent", "")
    assert mailbox.recipients == [addresses]
    assert len(mailbox.contents) == 1


def test_one_of_several_that_is_refused_does_not_keep_it_from_the_others(
    account, settings, mailbox
):
    addresses = ["bad@example.com", "b@example.com"]
    settings.OAUTH_ACCOUNTS_GET_NOTICE_RECIPIENTS = lambda account: addresses
    mailbox.refuses = lambda address: "550 No" if "bad" in address else "250 OK"
    assert told(account) == ("sent", "")
    assert mailbox.recipients == [["b@example.com"]]


ORGANISATION = """
import django
django.setup()
from django.contrib.auth.models import User
from django.core import mail
from django.core.management import call_command
from django.test.utils import setup_test_environment
from oauth_accounts import notices
from oauth_accounts.models import Notice
from oauth_accounts.testing.factories import ConnectedAccountFactory
from tests.organisations.models import Organisation
setup_test_environment()
call_command("migrate", verbosity=0)
ada = User.objects.create_user("ada", email="ada@example.com")
owner = Organisation.objects.create(name="Acme")
kept = ConnectedAccountFactory(owner=owner, connected_by=ada)
gone = ConnectedAccountFactory(owner=owner, connected_by=ada)
kept.revoke()
gone.delete()
assert notices.deliver_due().sent == 2
assert [m.to for m in mail.outbox] == [["ada@example.com"]] * 2
ConnectedAccountFactory(owner=owner, connected_by=ada).delete()
Notice.objects.filter(status="waiting").update(snapshot={"owner": "no key"})
assert notices.deliver_due().dropped == 1
"""


def test_an_owner_who_is_no_user_is_told_through_whoever_connected(child_environment):
    environment = {
        **child_environment,
        "DJANGO_SETTINGS_MODULE": "tests.settings_organisation_mail",
        "TEST_DATABASE_NAME": ":memory:",
    }
    done = subprocess.run(
        [sys.executable, "-c", ORGANISATION],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
