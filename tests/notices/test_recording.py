"""Which changes an owner is told of: written down together with the change, once."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import transaction

from oauth_accounts import reactions
from oauth_accounts.models import ConnectedAccount, Notice
from oauth_accounts.testing.factories import ConnectedAccountFactory
from tests.rows import again


def kinds() -> list[tuple[str, str]]:
    rows = Notice.objects.order_by("created_at")
    return list(rows.values_list("kind", "reason"))


def test_by_default_nothing_is_written_down(account):
    reactions.require_reauth(account, "invalid_grant")
    account.revoke()
    account.delete()
    assert kinds() == []


@pytest.mark.usefixtures("notices_on")
class TestOn:
    def test_an_account_that_needs_its_owner(self, account):
        assert reactions.require_reauth(account, "invalid_grant")
        assert kinds() == [("reauth_required", "invalid_grant")]

    def test_once_for_a_change_of_state(self, account):
        stale = again(account)
        assert reactions.require_reauth(account, "invalid_grant")
        assert not reactions.require_reauth(stale, "invalid_grant")
        assert len(kinds()) == 1

    @pytest.mark.parametrize("reason", ["by_owner", "by_admin", "at_provider"])
    def test_an_account_that_was_disconnected(self, account, reason):
        stale = again(account)
        account.revoke(reason=reason)
        stale.revoke(reason="by_owner")
        assert kinds() == [("disconnected", reason)]

    def test_a_recall_of_many(self, account, github):
        ConnectedAccountFactory(provider=github)
        call_command("oauth_accounts", "revoke", "--provider", "github", "--yes")
        assert kinds() == [("disconnected", "by_admin")] * 2

    def test_an_account_that_was_deleted(self, account):
        ConnectedAccount.objects.filter(pk=account.pk).delete()
        assert kinds() == [("disconnected", "deleted")]

    def test_deleting_what_was_disconnected_is_not_news(self, account):
        account.revoke()
        account.delete()
        assert kinds() == [("disconnected", "by_owner")]

    def test_an_account_that_goes_with_its_owner(self, account, owner):
        User.objects.filter(pk=owner.pk).delete()
        assert not ConnectedAccount.objects.exists()
        assert kinds() == []

    def test_disabling_is_none_of_them(self, account):
        reactions.disable(account, "provider_changed")
        reactions.enable(account)
        assert kinds() == []

    def test_a_change_that_is_rolled_back_tells_nobody(self, account):
        with transaction.atomic():
            account.revoke()
            transaction.set_rollback(True)
        assert kinds() == []

    def test_of_other_kinds_nothing_is_written_down(self, account, settings):
        settings.OAUTH_ACCOUNTS_NOTICES = ("connected",)
        account.revoke()
        assert kinds() == []

    def test_there_is_neither_address_nor_token_in_it(self, account):
        tokens = [
            account.reveal(name).get_value()
            for name in ("access_token", "refresh_token")
        ]
        account.revoke()
        row = str(Notice.objects.values().get())
        assert "ada@example.com" not in row
        assert not [token for token in tokens if token in row]


@pytest.mark.parametrize("value", ["connected", None, 5, {"connected": True}])
def test_a_setting_that_is_no_list_sends_nothing(account, settings, value):
    settings.OAUTH_ACCOUNTS_NOTICES = value
    account.revoke()
    assert kinds() == []
