from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from oauth_accounts import clock
from oauth_accounts.exceptions import TokenUndecryptable
from oauth_accounts.fields import Secret
from oauth_accounts.models import UnreadAnswer, purge_unread_answers
from oauth_accounts.testing.factories import ConnectedAccountFactory
from tests.rows import again, store, stored

BODY = 'refresh_token="only-here'


@pytest.fixture
def account(db):
    return ConnectedAccountFactory()


@pytest.fixture
def answer(account):
    return UnreadAnswer.objects.create(account=account, body=BODY)


class TestSealing:
    def test_it_lies_sealed_and_can_be_recovered(self, answer):
        assert stored(answer, "body").startswith(b"gAAAA")
        assert b"only-here" not in stored(answer, "body")
        assert again(answer).reveal("body") == Secret(BODY)
        assert BODY not in repr(vars(again(answer)))

    def test_another_rows_body_does_not_open(self, account, answer):
        other = UnreadAnswer.objects.create(account=account, body="{")

        store(other, "body", stored(answer, "body"))

        with pytest.raises(TokenUndecryptable):
            again(other).reveal("body")

    def test_nor_after_the_provider_moved(self, account, answer):
        type(account.provider).objects.update(issuer="https://evil.example")

        with pytest.raises(TokenUndecryptable):
            again(answer).reveal("body")

    def test_it_goes_with_its_account(self, account, answer):
        assert account.unread_answers.get() == answer

        account.delete()

        assert not UnreadAnswer.objects.exists()

    def test_str(self, answer):
        assert str(answer) == str(answer.pk)


class TestPurge:
    def put(self, account, days: float) -> UnreadAnswer:
        received = timezone.now() - timedelta(days=days)
        return UnreadAnswer.objects.create(
            account=account, body=BODY, created_at=received
        )

    def test_after_a_week_it_is_gone(self, account):
        for days in (30, 7.01):
            self.put(account, days)
        kept = [self.put(account, days) for days in (0, 6.99)]

        assert purge_unread_answers() == 2

        assert set(UnreadAnswer.objects.all()) == set(kept)
        assert purge_unread_answers() == 0

    def test_a_wrong_clock_deletes_nothing_early(self, account, monkeypatch):
        self.put(account, 1)
        wrong = timezone.now() + timedelta(days=30)
        monkeypatch.setattr(clock, "utcnow", lambda: wrong)

        assert purge_unread_answers() == 0
