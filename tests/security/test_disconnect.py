"""Disconnecting while the provider is told of something else, and hangs."""

from __future__ import annotations

import threading

import pytest
from django.db import connections

from oauth_accounts import outbox
from oauth_accounts.exceptions import ReauthRequired
from oauth_accounts.models import ConnectedAccount, PendingRevocation
from oauth_accounts.testing.server import Answer
from oauth_accounts.testing.wire import RecordedRequest
from tests.command import wait_until
from tests.rows import stored
from tests.security.stage import Stage
from tests.views.browser import disconnect_url

PATIENCE = 30


def deliver() -> None:
    try:
        outbox.deliver_due()
    finally:
        connections.close_all()


def test_a6_2_the_provider_hangs(stage: Stage) -> None:
    first = stage.connect(stage.a, subject="first")
    second = stage.connect(stage.a, subject="second")
    answered = threading.Event()

    def hang(request: RecordedRequest) -> None:
        answered.wait(PATIENCE)

    stage.as1.script(hang, endpoint="revocation")
    stage.a.post(disconnect_url(first))
    thread = threading.Thread(target=deliver)
    thread.start()
    wait_until(lambda: any("revoke" in r.path for r in stage.as1.requests))
    assert stage.a.post(disconnect_url(second)).status_code == 302
    for account in ConnectedAccount.objects.all():
        assert account.status == "revoked"
        with pytest.raises(ReauthRequired):
            account.get_access_token()
    assert stage.as1.revoked == []
    answered.set()
    thread.join()
    outbox.deliver_due()
    assert len(stage.as1.revoked) == 4


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        ([], "confirmed"),
        ([Answer(status=400, json={"error": "unsupported_token_type"})], "confirmed"),
        ([Answer(status=503, headers={"Retry-After": "60"})], "pending"),
    ],
)
def test_a6_4_a6_5_tokens_are_kept_as_long_as_they_may_live(
    stage: Stage, answers: list[Answer], status: str
) -> None:
    account = stage.connect(stage.a)
    stage.as1.script(*answers, endpoint="revocation")
    stage.a.post(disconnect_url(account))
    outbox.deliver_due()
    pending = PendingRevocation.objects.get()
    assert pending.status == status
    account.refresh_from_db()
    for name in ("access_token", "refresh_token"):
        assert stored(account, name) is None
    assert (stored(pending, "refresh_token") is None) == (status == "confirmed")
