"""What administrators do to accounts: permission, question, outcome of each in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.db import connection
from django.http import HttpResponse
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from oauth_accounts import bulk, outbox, signals, tasks
from oauth_accounts.admin import actions, bulk_action
from oauth_accounts.models import (
    BulkAction,
    BulkItem,
    ConnectedAccount,
    PendingRevocation,
    Provider,
)
from oauth_accounts.testing.factories import ConnectedAccountFactory
from oauth_accounts.testing.server import Answer, FakeProvider
from tests.admin.desk import ACCESS, REFRESH, Desk, form_data, messages, url

OTHER_KEY = "another-sealing-key-made-up-for-this-test-81d2e4b7"
# Action, its kind, the permission it needs, and the status it leads to.
DEEDS = [
    ("refresh_now", "refresh", "refresh", "active"),
    ("revoke_selected", "revoke", "revoke", "revoked"),
    ("require_reauth_selected", "require_reauth", "require_reauth", "needs_reauth"),
    ("disable_selected", "disable", "disable", "disabled"),
]


@pytest.fixture
def account(account: ConnectedAccount, server: FakeProvider) -> ConnectedAccount:
    """The account, with tokens that the server knows."""
    access_token, refresh_token = server.issue("alice")
    account.delete()
    PendingRevocation.objects.all().delete()
    return ConnectedAccountFactory(
        provider=account.provider,
        owner=account.owner,
        uid="alice",
        label="alice@provider.example",
        access_token=access_token,
        refresh_token=refresh_token,
    )


@pytest.fixture
def enqueued(monkeypatch: Any) -> list[Any]:
    """What would have been sent to the workers."""
    sent: list[Any] = []
    monkeypatch.setattr(tasks, "enqueue", lambda task: bool(sent.append(task)) or True)
    return sent


def done(desk: Desk, action: str, *accounts: Any, **data: Any) -> HttpResponse:
    """Run an action and open the page it leads to."""
    return desk.act(action, *accounts, confirmed="yes", **data)


def outcomes(response: HttpResponse) -> list[str]:
    """Return the outcome and the words of each account on a page of results."""
    page = BeautifulSoup(response.content, "html.parser")
    rows = page.find(class_="oauth-accounts-results").tbody.find_all("tr")
    return [
        " ".join(
            " ".join(cell.get_text(" ") for cell in row.find_all("td")[2:]).split()
        )
        for row in rows
    ]


class TestQuestion:
    @pytest.mark.parametrize(("action", "kind", "permission", "status"), DEEDS)
    def test_nothing_happens_before_the_answer(
        self,
        admin: Desk,
        account: ConnectedAccount,
        server: FakeProvider,
        action: str,
        kind: str,
        permission: str,
        status: str,
    ) -> None:
        response = admin.act(action, account)
        page = BeautifulSoup(response.content, "html.parser")
        assert "Fake provider: alice@provider.example (anna)" in page.get_text()
        assert "This concerns 1 account." in page.get_text()
        assert server.requests == []
        assert not BulkAction.objects.exists()
        account.refresh_from_db()
        assert account.status == "active"
        # The page's own form carries the selection on.
        data = form_data(page.find("div", id="content").find("form"))
        admin.post("connectedaccount_changelist", **data)
        account.refresh_from_db()
        assert account.status == status

    def test_a_long_selection_is_cut(
        self, admin: Desk, provider: Provider, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr(actions, "SHOWN", 2)
        chosen = [ConnectedAccountFactory(provider=provider) for _i in range(5)]
        response = admin.act("revoke_selected", *chosen)
        assert b"and 3 more" in response.content

    def test_all_that_match_a_filter(self, admin: Desk, provider: Provider) -> None:
        chosen = [ConnectedAccountFactory(provider=provider) for _i in range(3)]
        response = admin.act("revoke_selected", chosen[0], select_across="1")
        page = BeautifulSoup(response.content, "html.parser")
        assert "This concerns 3 accounts." in page.get_text()
        data = form_data(page.find("div", id="content").find("form"))
        admin.post("connectedaccount_changelist", **data)
        assert not ConnectedAccount.objects.exclude(status="revoked").exists()

    def test_who_is_passed_over_is_said_before(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        ended = ConnectedAccountFactory(provider=account.provider)
        ended.revoke()
        text = admin.act("disable_selected", account, ended).content.decode()
        assert "This concerns 1 account." in text
        assert "1 is passed over, because its status is “Revoked”." in text
        text = admin.act("enable_selected", ended).content.decode()
        assert "There is nothing to do." in text
        assert 'type="submit" value="Enable"' not in text

    def test_more_than_can_be_done_is_refused(
        self, admin: Desk, account: ConnectedAccount, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr(bulk, "MAX_ACCOUNTS", 1)
        other = ConnectedAccountFactory(provider=account.provider)
        text = admin.act("disable_selected", account, other).content.decode()
        assert "More than 1 accounts are too many" in text
        response = done(admin, "disable_selected", account, other)
        assert "selection has changed" in messages(response)[0]
        assert not ConnectedAccount.objects.exclude(status="active").exists()

    def test_a_selection_that_is_gone_does_nothing(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        other = ConnectedAccountFactory(provider=account.provider)
        ConnectedAccount.objects.filter(pk=other.pk).delete()
        response = done(admin, "disable_selected", other)
        assert "selection has changed" in messages(response)[0]
        assert not BulkAction.objects.exists()


class TestPermissions:
    @pytest.mark.parametrize(
        ("permission", "offered"),
        [
            ("refresh", ["refresh_now"]),
            ("revoke", ["revoke_selected"]),
            ("require_reauth", ["require_reauth_selected"]),
            ("disable", ["disable_selected", "enable_selected"]),
            ("delete", ["delete_selected"]),
        ],
    )
    def test_a6_6_each_action_has_its_own(
        self,
        staff: Callable[..., Desk],
        account: ConnectedAccount,
        permission: str,
        offered: list[str],
    ) -> None:
        desk = staff("view_connectedaccount", f"{permission}_connectedaccount")
        page = desk.page("connectedaccount_changelist")
        options = page.find("select", attrs={"name": "action"}).find_all("option")
        assert [o["value"] for o in options if o["value"]] == offered

    @pytest.mark.parametrize(("action", "kind", "permission", "status"), DEEDS)
    def test_a6_6_viewing_is_not_enough(
        self,
        staff: Callable[..., Desk],
        account: ConnectedAccount,
        server: FakeProvider,
        action: str,
        kind: str,
        permission: str,
        status: str,
    ) -> None:
        desk = staff("view_connectedaccount")
        done(desk, action, account)
        for send in (desk.get, desk.post):
            response = send("connectedaccount_act", account.pk, kind)
            assert response.status_code == 403
        account.refresh_from_db()
        assert (account.status, account.generation) == ("active", 0)
        assert server.requests == []
        page = desk.page("connectedaccount_change", account.pk)
        assert (
            page.find("a", href=url("connectedaccount_act", account.pk, kind)) is None
        )

    def test_a_permission_to_act_does_not_let_anybody_see(
        self, staff: Callable[..., Desk], account: ConnectedAccount
    ) -> None:
        desk = staff("refresh_connectedaccount")
        assert (
            desk.get("connectedaccount_act", account.pk, "refresh").status_code == 403
        )

    def test_results_are_for_those_who_see_accounts(
        self, admin: Desk, staff: Callable[..., Desk], account: ConnectedAccount
    ) -> None:
        done(admin, "disable_selected", account)
        order = BulkAction.objects.get()
        desk = staff("view_connectedaccount")
        assert desk.get("bulkaction_change", order.pk).status_code == 200
        desk.user.user_permissions.clear()
        assert desk.get("bulkaction_change", order.pk).status_code == 403
        assert desk.get("bulkaction_changelist").status_code == 403


class TestOneAccount:
    @pytest.mark.parametrize(("action", "kind", "permission", "status"), DEEDS)
    def test_its_page_leads_to_the_question_and_that_to_the_result(
        self,
        staff: Callable[..., Desk],
        account: ConnectedAccount,
        action: str,
        kind: str,
        permission: str,
        status: str,
    ) -> None:
        desk = staff("view_connectedaccount", f"{permission}_connectedaccount")
        address = url("connectedaccount_act", account.pk, kind)
        page = desk.page("connectedaccount_change", account.pk)
        assert page.find(class_="object-tools").find("a", href=address) is not None
        question = desk.page("connectedaccount_act", account.pk, kind)
        assert "alice@provider.example" in question.get_text()
        response = desk.post("connectedaccount_act", account.pk, kind)
        assert outcomes(response)[0].startswith("Done")
        account.refresh_from_db()
        assert account.status == status

    def test_only_what_its_state_allows_is_offered(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        def offered() -> list[str]:
            page = admin.page("connectedaccount_change", account.pk)
            links = page.find(class_="object-tools").find_all("a")
            return [link.get_text() for link in links if "/act/" in link["href"]]

        assert offered() == [
            "Refresh now",
            "Revoke at the provider",
            "Require reauthorisation",
            "Disable",
        ]
        account.disable()
        assert offered() == ["Revoke at the provider", "Enable"]
        account.owner.is_active = False
        account.owner.save()
        assert offered() == ["Revoke at the provider"]
        account.revoke()
        assert offered() == []

    def test_what_is_not_there_is_not_found(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        assert admin.get("connectedaccount_act", account.pk, "eat").status_code == 404
        assert admin.get("connectedaccount_act", "x", "refresh").status_code == 404


class TestOutcomes:
    def test_a_new_token(
        self, admin: Desk, account: ConnectedAccount, server: FakeProvider
    ) -> None:
        response = done(admin, "refresh_now", account)
        assert outcomes(response) == ["Done It has a new token."]
        assert len(server.token_requests) == 1
        assert "1 of 1 is done." in response.content.decode()

    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (Answer(status=400, json={"error": "invalid_grant"}), "no longer accepts"),
            (
                Answer(status=401, json={"error": "invalid_client"}),
                "client ID or secret",
            ),
            (Answer(drop=True), "was not answered"),
        ],
    )
    def test_a_failure_in_words(
        self,
        admin: Desk,
        account: ConnectedAccount,
        server: FakeProvider,
        answer: Answer,
        words: str,
    ) -> None:
        server.script(answer)
        (said,) = outcomes(done(admin, "refresh_now", account))
        assert said.startswith("Failed")
        assert words in said

    @override_settings(FERNET_KEYS=[])
    def test_missing_keys_in_words(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        (said,) = outcomes(done(admin, "refresh_now", account))
        assert "The keys in FERNET_KEYS cannot be used" in said

    def test_without_a_refresh_token_nothing_is_refreshed(
        self, admin: Desk, account: ConnectedAccount, server: FakeProvider
    ) -> None:
        ConnectedAccount.objects.update(refresh_token=None)
        assert outcomes(done(admin, "refresh_now", account)) == [
            "Skipped It has no refresh token, so it cannot be refreshed."
        ]
        assert server.token_requests == []

    def test_a_revocation_is_pending_until_the_provider_says_so(
        self, admin: Desk, account: ConnectedAccount, server: FakeProvider
    ) -> None:
        response = done(admin, "revoke_selected", account)
        assert outcomes(response) == [
            "Done It was stopped here. At the provider: Pending"
        ]
        account.refresh_from_db()
        assert (account.status, account.status_reason) == ("revoked", "by_admin")
        assert account.events.get(kind="revoked").actor == admin.user
        assert server.requests == []
        outbox.deliver_due()
        order = BulkAction.objects.get()
        assert outcomes(admin.get("bulkaction_change", order.pk)) == [
            "Done It was stopped here. At the provider: Confirmed"
        ]

    def test_what_a_provider_cannot_do_is_said(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        account.provider.revocation_endpoint = ""
        account.provider.save()
        done(admin, "revoke_selected", account)
        outbox.deliver_due()
        order = BulkAction.objects.get()
        (said,) = outcomes(admin.get("bulkaction_change", order.pk))
        assert said.endswith("Not supported by the provider")

    def test_what_was_so_before_is_skipped(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        account.revoke()
        assert outcomes(done(admin, "revoke_selected", account)) == [
            "Skipped Its status is “Revoked”."
        ]
        assert PendingRevocation.objects.count() == 1

    def test_a6_6_an_undecryptable_row_can_be_revoked(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        with override_settings(FERNET_KEYS=[OTHER_KEY]):
            done(admin, "revoke_selected", account)
        account.refresh_from_db()
        assert account.status == "revoked"

    def test_reauthorisation_is_required_with_actor_and_signal(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        heard: list[Any] = []

        def hear(account: Any, reason: str, **kwargs: Any) -> None:
            heard.append((account.pk, reason))

        signals.reauth_required.connect(hear, weak=False)
        try:
            response = done(admin, "require_reauth_selected", account)
        finally:
            signals.reauth_required.disconnect(hear)
        assert outcomes(response) == ["Done Its owner has to connect it again."]
        account.refresh_from_db()
        assert account.status_reason == "admin_request"
        assert account.refresh_due_at is None
        assert account.events.get(kind="reauth_required").actor == admin.user
        assert heard == [(account.pk, "admin_request")]

    def test_an_account_that_is_being_refreshed_is_left_alone(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        bulk.ConnectedAccount.objects.update(
            lease="0" * 32, lease_until="2999-01-01T00:00Z"
        )
        assert outcomes(done(admin, "require_reauth_selected", account)) == [
            "Failed Another refresh is still under way."
        ]

    def test_disabled_and_enabled_again(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        done(admin, "disable_selected", account)
        account.refresh_from_db()
        assert (account.status, account.status_reason) == ("disabled", "by_admin")
        response = done(admin, "enable_selected", account)
        assert outcomes(response) == ["Done It is enabled."]
        account.refresh_from_db()
        assert account.status == "active"
        assert account.refresh_due_at is not None
        kinds = account.events.filter(actor=admin.user).values_list("kind", flat=True)
        assert set(kinds) == {"disabled", "enabled"}

    def test_enabled_and_in_need_of_its_owner_still(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        account.require_reauth()
        account.disable()
        assert outcomes(done(admin, "enable_selected", account)) == [
            "Done It is enabled. Its status is “Needs reauthorisation”."
        ]

    def test_an_inactive_owner_is_in_the_way(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        account.owner.is_active = False
        account.owner.save()
        assert outcomes(done(admin, "enable_selected", account)) == [
            "Skipped Its owner is not active."
        ]

    def test_a_change_meanwhile_is_no_success(
        self, admin: Desk, account: ConnectedAccount, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr(ConnectedAccount, "disable", lambda self, **kwargs: False)
        assert outcomes(done(admin, "disable_selected", account)) == [
            "Failed Its state was changed by somebody else meanwhile."
        ]

    def test_rows_that_vanish_meanwhile_are_told(
        self, admin: Desk, provider: Provider, monkeypatch: Any
    ) -> None:
        first, second = (ConnectedAccountFactory(provider=provider) for _i in range(2))
        third = ConnectedAccountFactory(provider=provider)
        revoke = ConnectedAccount.revoke

        def interfering(account: ConnectedAccount, **kwargs: Any) -> None:
            # Another administrator deletes the row being revoked and the one after it.
            ConnectedAccount.objects.exclude(pk=third.pk).delete()
            revoke(account, **kwargs)

        monkeypatch.setattr(ConnectedAccount, "revoke", interfering)
        said = outcomes(done(admin, "revoke_selected", first, second))
        assert said == ["Failed The account was deleted meanwhile."] * 2
        assert ConnectedAccount.objects.get() == third


class TestMany:
    def test_many_are_left_to_the_workers(
        self,
        admin: Desk,
        account: ConnectedAccount,
        server: FakeProvider,
        monkeypatch: Any,
        enqueued: list[Any],
    ) -> None:
        monkeypatch.setattr(actions, "MAX_NOW", 1)
        other = ConnectedAccountFactory(provider=account.provider)
        text = admin.act("disable_selected", account, other).content.decode()
        assert "So many are left to the workers." in text
        response = done(admin, "disable_selected", account, other)
        assert "The workers go on" in messages(response)[0]
        assert outcomes(response) == ["Waiting", "Waiting"]
        assert "0 of 2 are done." in response.content.decode()
        assert enqueued == [tasks.run_bulk_actions]
        tasks.run_bulk_actions()
        assert ConnectedAccount.objects.filter(status="disabled").count() == 2
        order = BulkAction.objects.get()
        response = admin.get("bulkaction_change", order.pk)
        assert outcomes(response) == ["Done It is disabled."] * 2
        assert account.events.get(kind="disabled").actor == admin.user

    def test_what_takes_too_long_is_left_to_the_workers(
        self,
        admin: Desk,
        account: ConnectedAccount,
        server: FakeProvider,
        monkeypatch: Any,
    ) -> None:
        monkeypatch.setattr(actions, "MAX_SECONDS", -1)
        monkeypatch.setattr(tasks, "enqueue", lambda task: False)
        response = done(admin, "refresh_now", account)
        (message,) = messages(response)
        assert "manage.py oauth_accounts refresh" in message
        assert server.token_requests == []
        assert outcomes(response) == ["Waiting"]

    def test_results_come_in_pages_with_few_queries(
        self, admin: Desk, provider: Provider, monkeypatch: Any
    ) -> None:
        chosen = [ConnectedAccountFactory(provider=provider) for _i in range(5)]
        done(admin, "revoke_selected", *chosen)
        order = BulkAction.objects.get()
        monkeypatch.setattr(bulk_action, "PER_PAGE", 2)
        seen = []
        for number in (1, 2, 3):
            with CaptureQueriesContext(connection) as queries:
                seen += outcomes(admin.get("bulkaction_change", order.pk, page=number))
            assert len(queries) < 10
        assert len(seen) == 5

    def test_a_deleted_account_is_named_by_its_key(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        done(admin, "disable_selected", account)
        key = account.pk
        account.delete()
        order = BulkAction.objects.get()
        assert str(key) in admin.get("bulkaction_change", order.pk).content.decode()

    def test_the_list_of_orders(self, admin: Desk, account: ConnectedAccount) -> None:
        done(admin, "disable_selected", account)
        bulk.start("refresh", [account.pk], admin.user)
        text = admin.page("bulkaction_changelist").get_text()
        assert "Finished" in text
        assert "Under way" in text
        response = admin.get("bulkaction_changelist", kind__exact="disable")
        assert len(response.context["cl"].result_list) == 1
        order = BulkAction.objects.first()
        assert admin.post("bulkaction_delete", order.pk, post="yes").status_code == 403
        assert BulkItem.objects.count() == 2


class TestDelete:
    def test_it_is_said_that_tokens_are_revoked_and_offered_to_revoke_only(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        page = admin.page("connectedaccount_delete", account.pk)
        assert "revoked at the provider" in page.get_text()
        address = url("connectedaccount_act", account.pk, "revoke")
        assert page.find("a", href=address) is not None
        account.revoke()
        page = admin.page("connectedaccount_delete", account.pk)
        assert page.find("a", href=address) is None

    def test_the_same_goes_for_several(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        response = admin.act("delete_selected", account)
        page = BeautifulSoup(response.content, "html.parser")
        assert "revoked at the provider" in page.get_text()
        form = page.find("input", value="revoke_selected").find_parent("form")
        response = admin.post("connectedaccount_changelist", **form_data(form))
        assert "This concerns 1 account." in response.content.decode()

    def test_nothing_is_offered_that_is_not_allowed(
        self, staff: Callable[..., Desk], account: ConnectedAccount
    ) -> None:
        desk = staff("view_connectedaccount", "delete_connectedaccount")
        page = desk.page("connectedaccount_delete", account.pk)
        address = url("connectedaccount_act", account.pk, "revoke")
        assert page.find("a", href=address) is None
        response = desk.act("delete_selected", account)
        assert b"revoke_selected" not in response.content

    def test_no_more_than_a_page_can_do(
        self, admin: Desk, account: ConnectedAccount, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr(actions, "MAX_DELETED", 0)
        response = admin.act("delete_selected", account, post="yes")
        assert "too many to delete at once" in messages(response)[0]
        assert ConnectedAccount.objects.exists()


def test_the_tokens_are_on_no_page(admin: Desk, account: ConnectedAccount) -> None:
    for action, *_rest in DEEDS:
        html = admin.act(action, account).content.decode()
        assert ACCESS not in html
        assert REFRESH not in html
