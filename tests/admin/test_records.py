"""Events, attempts, revocations and statistics: to look at."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oauth_accounts import callback, reasons
from oauth_accounts.fields import Secret
from oauth_accounts.models import (
    AccountEvent,
    AuthorizationAttempt,
    ConnectedAccount,
    Notice,
    PendingRevocation,
    Provider,
    RefreshStatistic,
)
from oauth_accounts.testing.factories import ConnectedAccountFactory
from tests.admin.desk import ACCESS, REFRESH, Desk

VERIFIER = "verifier-4d1c"


@pytest.fixture
def rows(account: ConnectedAccount, owner: User, settings: Any) -> dict[str, Any]:
    """One row of each kind."""
    settings.OAUTH_ACCOUNTS_NOTICES = ["disconnected"]
    attempt = AuthorizationAttempt.objects.create(
        state_hash=callback.hash_value("state"),
        browser_hash=callback.hash_value("browser"),
        code_verifier=Secret(VERIFIER),
        user=owner,
        owner=owner,
        provider=account.provider,
        account=account,
        client_id="c",
    )
    account.provider.refresh_statistics.record("success")
    account.revoke(reason="by_owner", actor=owner)
    return {
        "authorizationattempt": attempt,
        "accountevent": AccountEvent.objects.get(kind="revoked"),
        "notice": Notice.objects.get(),
        "pendingrevocation": PendingRevocation.objects.get(),
        "refreshstatistic": RefreshStatistic.objects.get(),
    }


KINDS = [
    "authorizationattempt",
    "accountevent",
    "notice",
    "pendingrevocation",
    "refreshstatistic",
]


@pytest.mark.parametrize("kind", KINDS)
def test_pages_show_no_secret_and_no_input(
    admin: Desk, rows: dict[str, Any], kind: str
) -> None:
    row = rows[kind]
    secrets = [VERIFIER, ACCESS, REFRESH]
    secrets += [callback.hash_value("state"), callback.hash_value("browser")]
    for arguments in ((f"{kind}_changelist",), (f"{kind}_change", row.pk)):
        html = admin.get(*arguments).content.decode()
        assert "Fake provider" in html
        assert not [secret for secret in secrets if secret in html]
    form = admin.page(f"{kind}_change", row.pk).find("form", id=f"{kind}_form")
    assert [i["name"] for i in form.find_all("input")] == ["csrfmiddlewaretoken"]
    assert admin.get(f"{kind}_add").status_code == 403
    assert admin.post(f"{kind}_change", row.pk).status_code == 403


@pytest.mark.parametrize("kind", ["accountevent", "notice", "pendingrevocation"])
def test_evidence_is_not_deleted(admin: Desk, rows: dict[str, Any], kind: str) -> None:
    assert admin.post(f"{kind}_delete", rows[kind].pk, post="yes").status_code == 403


def test_reasons_are_explained(admin: Desk, rows: dict[str, Any]) -> None:
    text = admin.page("accountevent_change", rows["accountevent"].pk).get_text()
    assert "Disconnected by its owner." in text
    PendingRevocation.objects.update(last_error="unreachable")
    page = admin.page("pendingrevocation_change", rows["pendingrevocation"].pk)
    assert "The service could not be reached." in page.get_text()


def test_what_became_of_a_notice_is_explained(
    admin: Desk, rows: dict[str, Any]
) -> None:
    Notice.objects.update(status="dropped", last_error="no_recipient")
    page = admin.page("notice_change", rows["notice"].pk)
    assert "There is nobody to write to, or no address." in page.get_text()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("accountevent", "Disconnected by its owner."),
        ("notice", "The mail server refused it."),
        ("pendingrevocation", "The service could not be reached."),
        ("refreshstatistic", "Success"),
    ],
)
def test_lists_have_words_in_the_place_of_codes(
    admin: Desk, rows: dict[str, Any], kind: str, words: str
) -> None:
    Notice.objects.update(status="failed", last_error="refused")
    PendingRevocation.objects.update(last_error="unreachable")
    table = admin.page(f"{kind}_changelist").find("table", id="result_list").get_text()
    assert words in table
    assert not [c for c in ("by_owner", "refused_", "unreachable") if c in table]


def test_a_rejected_callback_in_words(admin: Desk, provider: Provider) -> None:
    for code in reasons.REJECTION:
        provider.events.create(kind="rejected", reason=code)
    table = admin.page("accountevent_changelist").find("table", id="result_list")
    assert "Its state is unknown, or was used already." in table.get_text()
    assert not [code for code in reasons.REJECTION if code in table.get_text()]


def test_a_notice_leads_to_its_account(admin: Desk, rows: dict[str, Any]) -> None:
    key = str(rows["notice"].account_key)
    [link] = admin.page("notice_changelist", q="anna").find_all("a", title=key)
    assert admin.client.get(link["href"]).status_code == 200
    assert link.get_text() == "alice@provider.example"
    assert not admin.page("notice_changelist", q="nobody").find_all("a", title=key)
    ConnectedAccount.objects.all().delete()
    [link] = admin.page("notice_changelist", q=key).find_all("a", title=key)
    assert link.get_text() == f"{key[:8]}…"


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_deleted_by_the_dozen(
    admin: Desk, rows: dict[str, Any], kind: str
) -> None:
    page = admin.page(f"{kind}_changelist")
    assert page.find("select", attrs={"name": "action"}) is None


@pytest.mark.parametrize("kind", KINDS)
def test_the_number_of_queries_does_not_grow(
    admin: Desk, rows: dict[str, Any], provider: Provider, kind: str
) -> None:
    with CaptureQueriesContext(connection) as before:
        admin.page(f"{kind}_changelist")
    for number in range(4):
        user = User.objects.create_user(f"user-{number}")
        account = ConnectedAccountFactory(provider=provider, owner=user)
        AuthorizationAttempt.objects.create(
            state_hash=str(number),
            browser_hash="b",
            user=user,
            provider=provider,
            account=account,
            client_id="c",
        )
        account.revoke(actor=user)
        provider.refresh_statistics.record("failure", str(number))
    with CaptureQueriesContext(connection) as after:
        admin.page(f"{kind}_changelist")
    assert len(after) == len(before)
