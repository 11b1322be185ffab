"""E24: an answer that nobody can read may hold the only token that works."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import DatabaseError
from django.utils import timezone

from oauth_accounts import salvage, tasks
from oauth_accounts.fields import Secret
from oauth_accounts.models import UnreadAnswer
from oauth_accounts.protocol.tokens import MAX_RAW_BODY, parse_token_answer
from tests.rows import stored

GARBAGE = b'{"access_token": "at-1", "refresh_token": "only-here'


def body_of(raw: bytes) -> Secret:
    """Return what the parser hands on of a body it cannot read."""
    tokens = parse_token_answer(raw, issued_at=timezone.now())
    assert tokens.problem == "unparsable"
    return tokens.raw_body


@pytest.mark.parametrize("size", [None, MAX_RAW_BODY, 2 * MAX_RAW_BODY])
def test_e24_the_body_is_kept_sealed_and_can_be_recovered(account, size):
    raw = GARBAGE if size is None else GARBAGE + b"x" * size

    salvage.keep_unread(account, body_of(raw))

    kept = account.unread_answers.get()
    assert b"only-here" not in stored(kept, "body")
    assert kept.reveal("body") == Secret(raw[:MAX_RAW_BODY].decode())


def test_e24_bytes_that_are_no_text_are_kept_too(account):
    salvage.keep_unread(account, body_of(b"\xff\x00only-here"))

    assert "only-here" in account.unread_answers.get().reveal("body").get_value()


@pytest.mark.usefixtures("transactional_db")
def test_an_account_that_is_gone_is_no_error(account, caplog):
    key = account.pk
    type(account).objects.filter(pk=key).delete()
    account.pk = key

    salvage.keep_unread(account, Secret("only-here"))

    assert not UnreadAnswer.objects.exists()
    assert "could not be kept" in caplog.text
    assert "only-here" not in caplog.text


def test_a_database_that_fails_is_no_error(account, caplog, monkeypatch):
    def fails(*args, **kwargs):
        raise DatabaseError("only-here")

    monkeypatch.setattr(UnreadAnswer, "save", fails)

    salvage.keep_unread(account, Secret("only-here"))

    assert "could not be kept (DatabaseError)" in caplog.text
    assert "only-here" not in caplog.text


class TestPurge:
    @pytest.fixture
    def old(self, account):
        salvage.keep_unread(account, Secret("old"))
        week = timezone.now() - timedelta(days=7, minutes=1)
        UnreadAnswer.objects.update(created_at=week)
        salvage.keep_unread(account, Secret("new"))

    def test_the_task_does_it(self, old):
        tasks.purge_expired_attempts()

        assert UnreadAnswer.objects.get().reveal("body") == Secret("new")

    def test_the_command_does_it(self, old):
        call_command("oauth_accounts", "refresh")

        assert UnreadAnswer.objects.get().reveal("body") == Secret("new")
