"""A8.6: each thing that happens leaves one event, with who did it and without a secret."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from oauth_accounts import outbox
from oauth_accounts.exceptions import ProviderUnavailable, ReauthRequired
from oauth_accounts.models import AccountEvent, ConnectedAccount, Provider
from oauth_accounts.testing.server import Answer
from tests.admin.desk import Desk
from tests.security.stage import Stage
from tests.views.browser import disconnect_url, reconnect_url


@contextmanager
def leaves(
    kind: str, reason: str = "", *, actor: User | None = None, about: object = None
) -> Iterator[None]:
    """Expect one event. about: the account, None for what is about none."""
    known = set(AccountEvent.objects.values_list("pk", flat=True))
    yield
    [event] = AccountEvent.objects.exclude(pk__in=known)
    assert (event.kind, event.reason) == (kind, reason)
    assert event.actor == actor
    assert event.account_key == about


@pytest.fixture
def root(stage: Stage) -> Desk:
    return Desk(User.objects.create_superuser("root"))


def test_a8_6_connecting_and_disconnecting(stage: Stage) -> None:
    anna = stage.user("anna")
    path = stage.way_back(stage.a)
    stage.accept(stage.a, path)
    account = ConnectedAccount.objects.get()
    event = AccountEvent.objects.get()
    assert (event.kind, event.actor, event.account) == ("connected", anna, account)
    with leaves("rejected", "state_unknown_or_used", actor=anna):
        stage.a.get(path)
    again = stage.consent(stage.a.post(reconnect_url(account))["Location"])
    with leaves("reconnected", actor=anna, about=account.pk):
        stage.accept(stage.a, again)
    with leaves("revoked", "by_owner", actor=anna, about=account.pk):
        stage.a.post(disconnect_url(account))
    with leaves("revocation_confirmed", "confirmed", about=account.pk):
        outbox.deliver_due()
    with leaves("deleted", about=account.pk):
        account.delete()


def test_a8_6_a_refused_reconnect_names_the_account(stage: Stage) -> None:
    account = stage.connect(stage.a)
    address = stage.a.post(reconnect_url(account))["Location"]
    path = stage.consent(address, subject="mallory")
    with leaves(
        "rejected", "identity_mismatch", actor=stage.user("anna"), about=account.pk
    ):
        stage.a.get(path)


def test_a8_6_refreshing(stage: Stage) -> None:
    account = stage.connect(stage.a)
    before = AccountEvent.objects.count()
    account.refresh()
    # What went well is counted by the hour, not told one by one.
    assert AccountEvent.objects.count() == before
    stage.as1.script(Answer(status=503))
    with (
        leaves("refresh_failed", "server_error", about=account.pk),
        pytest.raises(ProviderUnavailable),
    ):
        account.refresh()
    with leaves("recovered", about=account.pk):
        ConnectedAccount.objects.get().refresh()
    stage.as1.script(Answer(status=400, json={"error": "invalid_grant"}))
    with (
        leaves("reauth_required", "invalid_grant", about=account.pk),
        pytest.raises(ReauthRequired),
    ):
        ConnectedAccount.objects.get().refresh()


def test_a8_6_what_staff_does(stage: Stage, root: Desk) -> None:
    account = stage.connect(stage.a)
    with leaves("secret_changed", "client_secret", actor=root.user):
        root.submit(
            "provider_change", account.provider_id, new_client_secret="another-secret"
        )
    with leaves("revoked", "by_admin", actor=root.user, about=account.pk):
        root.act("revoke_selected", account, confirmed="yes")


def test_a8_6_new_keys(stage: Stage, settings: Any) -> None:
    stage.connect(stage.a)
    settings.FERNET_KEYS = [
        "a-new-sealing-key-made-up-for-this-test-91c3f07b2d",
        *settings.FERNET_KEYS,
    ]
    call_command("oauth_accounts", "rotate-keys", verbosity=0)
    assert AccountEvent.objects.filter(kind="keys_rotated").count() == 1


def test_a8_6_no_event_holds_a_secret(stage: Stage) -> None:
    account = stage.connect(stage.a)
    stage.as1.script(Answer(status=400, json={"error": stage.as1.client_secret}))
    with pytest.raises(ProviderUnavailable):
        account.refresh()
    account.revoke(wait=True)
    events = repr([vars(event) for event in AccountEvent.objects.all()])
    assert "revoked" in events
    assert [secret for secret in stage.secrets() if secret in events] == []
    assert Provider.objects.count() == 2
