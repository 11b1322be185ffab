"""manage.py oauth_accounts rebind: shown, confirmed, and begun again after a kill."""

from __future__ import annotations

import getpass
import io
import signal
import subprocess
import sys

import pytest
from django.core.management import CommandError, call_command

from oauth_accounts import fields, places, rebind
from oauth_accounts.fields import Secret
from oauth_accounts.models import AccountEvent, ConnectedAccount, Provider, UnreadAnswer
from oauth_accounts.testing.factories import ConnectedAccountFactory, ProviderFactory
from tests.command import Terminal, wait_until
from tests.rows import again, alter, store, stored

OLD, NEW = "https://old.example", "https://new.example"
SECRET = "the-client-secret-that-is-stored-41c7"
STATED = ("--from-issuer", OLD, "--from-token-endpoint", f"{OLD}/token")
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr(rebind, "GRACE_SECONDS", 0)


@pytest.fixture
def provider(transactional_db):
    return ProviderFactory(slug="moved", host=OLD, client_secret=SECRET)


@pytest.fixture
def accounts(provider):
    return [ConnectedAccountFactory(provider=provider) for _number in range(3)]


def move(provider):
    """Write the new addresses as a script would that knows nothing of pins."""
    values = {"issuer": NEW, "token_endpoint": f"{NEW}/token"}
    alter(provider, **values, revocation_endpoint="")


@pytest.fixture
def person(monkeypatch):
    """Somebody at a terminal, who types what is asked for."""

    class Person:
        slug, secret = "moved", SECRET
        asked = 0

        def answer(self, prompt):
            self.asked += 1
            return self.slug

        def enter(self, prompt):
            self.asked += 1
            return self.secret

    person = Person()
    monkeypatch.setattr("builtins.input", person.answer)
    monkeypatch.setattr(getpass, "getpass", person.enter)
    return person


def run(*arguments, stdout=None):
    """Return what it says on stdout and on stderr."""
    out, err = stdout or io.StringIO(), io.StringIO()
    call_command("oauth_accounts", "rebind", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def fails(*arguments):
    with pytest.raises(CommandError) as caught:
        run(*arguments)
    assert not AccountEvent.objects.filter(kind="provider_rebound").exists()
    return str(caught.value)


def is_moved(account):
    return again(account).reveal("refresh_token") is not None


class TestAtATerminal:
    def test_it_shows_what_moved_and_follows(self, provider, accounts, person):
        move(provider)

        out, err = run("moved")

        words = " ".join(out.split())
        assert f"from: issuer {OLD}, tokens from {OLD}" in words
        assert f"to: issuer {NEW}, tokens from {NEW}" in words
        assert f"revocation_endpoint: {OLD}/revoke -> (nothing)" in words
        assert f"3 accounts, 0 revocations and unread answers: issuer {OLD}" in words
        assert f"0 accounts, 0 revocations and unread answers: issuer {NEW}" in words
        assert "3 rows are sealed anew, 0 accounts are in use again." in words
        assert err == ""
        assert SECRET not in out
        assert all(is_moved(account) for account in accounts)
        assert again(provider).reveal("client_secret") == Secret(SECRET)
        assert AccountEvent.objects.get(kind="provider_rebound").reason == "moved"

    def test_after_a_change_in_the_admin(self, provider, accounts, person):
        """The pin is new by then; where the accounts were is in what they hold."""
        provider.issuer, provider.token_endpoint = NEW, f"{NEW}/token"
        provider.client_secret = SECRET
        provider.save()

        out, _err = run("moved")

        assert f"from: issuer {OLD}" in out
        assert "3 rows are sealed anew" in out

    def test_nothing_moved_but_an_address(self, provider, accounts, person):
        alter(provider, api_base_url=f"{NEW}/api/")

        out, _err = run("moved")

        assert "(the same)" in out
        assert "0 rows are sealed anew" in out
        event = AccountEvent.objects.get(kind="provider_rebound")
        assert event.reason == "addresses_changed"
        again(provider).require_pinned()

    def test_somebody_changes_their_mind(self, provider, accounts, person):
        move(provider)
        person.slug = "yes"

        assert fails("moved") == "Nothing was changed."
        assert person.asked == 1

    @pytest.mark.parametrize("entered", ["", "guessed"])
    def test_without_the_secret(self, provider, accounts, person, entered):
        move(provider)
        person.secret = entered

        assert "Nothing was changed." in fails("moved")

    def test_a_secret_that_cannot_be_read_is_entered_anew(
        self, provider, accounts, person
    ):
        move(provider)
        store(provider, "client_secret", b"rubbish")
        person.secret = "another"

        _out, err = run("moved")

        assert "could not be read" in err
        assert again(provider).reveal("client_secret") == Secret("another")

    def test_other_secrets_that_cannot_be_read_are_named(self, provider, person):
        move(provider)
        store(provider, "private_key", b"rubbish")

        _out, err = run("moved")

        assert "private_key could not be read" in err

    def test_a_client_without_a_secret(self, provider, accounts, person):
        move(provider)
        store(provider, "client_secret", None)

        out, _err = run("moved")

        assert "3 rows are sealed anew" in out
        assert person.asked == 1

    @pytest.mark.parametrize("pin", [None, b"rubbish"])
    def test_without_a_pin_the_rows_tell_where_it_was(
        self, provider, accounts, person, pin
    ):
        move(provider)
        store(provider, "pinned_addresses", pin)

        out, _err = run("moved")

        assert f"from: issuer {OLD}" in out
        assert ("What was pinned cannot be read" in out) == bool(pin)
        assert "3 rows are sealed anew" in out

    def test_two_places_are_one_too_many_to_guess(self, provider, accounts, person):
        third = {"iss": "https://third.example", "te": ""}
        place = {**accounts[0].sealing_context("refresh_token"), **third}
        accounts[0].stored_row().update(
            refresh_token=fields.seal("x", place), access_token=None
        )
        provider.issuer, provider.token_endpoint = NEW, f"{NEW}/token"
        provider.client_secret = SECRET
        provider.save()

        said = fails("moved")
        assert "issuer https://third.example, tokens from (nowhere)" in said
        assert person.asked == 0

        with pytest.raises(CommandError) as caught:
            run("moved", *STATED)
        assert "1 rows were sealed for another place and are left" in str(caught.value)
        assert [is_moved(account) for account in accounts[1:]] == [True, True]

    def test_a_terminal_sees_bars(self, provider, accounts, person):
        move(provider)

        out, _err = run("moved", stdout=Terminal())

        assert "Looking [##############################] 3/3" in out
        assert "Sealing [##############################] 3/3" in out


class TestOptions:
    def test_a_dry_run_asks_nothing_and_changes_nothing(
        self, provider, accounts, person
    ):
        move(provider)
        before = stored(provider, "pinned_addresses")

        out, _err = run("moved", "--dry-run")

        assert f"to:   issuer {NEW}" in out
        assert person.asked == 0
        assert stored(provider, "pinned_addresses") == before
        assert not AccountEvent.objects.exists()

    def test_from_a_script(self, provider, accounts, person, monkeypatch):
        move(provider)
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{SECRET}\n"))

        out, _err = run("moved", "--no-input", "--client-secret-stdin", *STATED)

        assert "3 rows are sealed anew" in out
        assert person.asked == 0

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["nowhere"], "There is no provider 'nowhere'"),
            (["moved", "--client-secret-stdin"], "goes with --no-input"),
            (["moved", "--no-input"], "needs --from-issuer and --from-token-endpoint"),
            (["moved", *STATED[:2]], "go together"),
            (["moved", *STATED[2:]], "go together"),
            (["moved", "--no-input", *STATED], "needs --client-secret-stdin"),
        ],
    )
    def test_what_does_not_go(self, provider, accounts, person, arguments, words):
        move(provider)

        assert words in fails(*arguments)


class TestLeft:
    def test_rows_that_cannot_be_read(self, provider, accounts, person):
        move(provider)
        store(accounts[0], "access_token", b"rubbish")

        with pytest.raises(CommandError, match="1 rows cannot be read and are left"):
            run("moved")

        assert is_moved(accounts[1])

    def test_rows_in_use(self, provider, accounts, person, monkeypatch):
        move(provider)
        monkeypatch.setattr(rebind, "PATIENCE_SECONDS", 0)
        update = rebind._Run._update
        monkeypatch.setattr(
            rebind._Run,
            "_update",
            lambda run, table, row, values: (
                row.pk != accounts[0].pk and update(run, table, row, values)
            ),
        )

        with pytest.raises(CommandError, match="1 rows were in use all the time"):
            run("moved")


COUNT = 240


@pytest.fixture
def begin(child_environment):
    """Start a run of its own, to which the secret has been piped already."""

    def start():
        child = subprocess.Popen(
            [sys.executable, "-c", SLOWLY, "moved", *STATED],
            env={k: v for k, v in child_environment.items() if "COVERAGE" not in k},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        child.stdin.write(f"{SECRET}\n")
        child.stdin.flush()
        return child

    return start


def count_moved():
    provider = Provider.objects.get()
    found = places.survey(provider, lambda done: None)
    assert found.unreadable == 0
    return found.accounts[places.binding_of(provider)]


def test_c5_a_run_that_is_killed_is_begun_again(provider, begin):
    """Killed in the middle, each row opens for one of the places; a second run ends it."""
    accounts = ConnectedAccountFactory.build_batch(COUNT, provider=provider)
    ConnectedAccount.objects.bulk_create(accounts)
    UnreadAnswer.objects.create(account=accounts[0], body=Secret("unread"))
    move(provider)

    with begin() as child:
        wait_until(count_moved)
        child.send_signal(signal.SIGKILL)
    assert 0 < count_moved() < COUNT

    with begin() as child:
        said, _nothing = child.communicate(timeout=120)
    assert child.returncode == 0, said
    assert f"{COUNT} rows" not in said
    assert count_moved() == COUNT
    assert UnreadAnswer.objects.get().reveal("body") == Secret("unread")
    assert all(is_moved(account) for account in accounts)
    assert AccountEvent.objects.filter(kind="provider_rebound").count() == 2


# Small batches, and a breath after each, so that there is a middle to be killed in.
SLOWLY = """
import sys, time
import django
django.setup()
from django.core.management import execute_from_command_line
from oauth_accounts import places, rebind
places.BATCH_SIZE = 20
write = rebind._Run.write
def write_slowly(run, table, batch):
    write(run, table, batch)
    time.sleep(0.1)
rebind._Run.write = write_slowly
options = ["--no-input", "--client-secret-stdin"]
arguments = ["oauth_accounts", "rebind", *options, *sys.argv[1:]]
execute_from_command_line(["manage.py", *arguments])
"""
