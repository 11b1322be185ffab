"""The circuit breaker on the provider's page, and the way to close it by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from oauth_accounts.clock import DatabaseNow
from oauth_accounts.models import AccountEvent, Provider
from oauth_accounts.testing.factories import ProviderFactory
from tests.admin.desk import CSRF, Desk, form_data, messages, url

pytestmark = pytest.mark.faces


@pytest.fixture
def paused(transactional_db: None) -> Provider:
    provider = ProviderFactory(name="Tracker")
    provider.pause(900, "invalid_client")
    return provider


def half_open(provider: Provider) -> None:
    past = DatabaseNow() - timedelta(seconds=1)
    Provider.objects.filter(pk=provider.pk).update(paused_until=past)


def words(desk: Desk, provider: Provider) -> str:
    """Return the text of the provider's page."""
    page = desk.page("provider_change", provider.pk)
    return " ".join(page.find(id="content").get_text().split())


def resume_link(desk: Desk, provider: Provider):
    page = desk.page("provider_change", provider.pk)
    return page.find("a", href=url("provider_resume", provider.pk))


class TestPage:
    def test_closed(self, admin: Desk, transactional_db: None) -> None:
        provider = ProviderFactory()

        assert "Closed: calls are not paused." in words(admin, provider)
        assert resume_link(admin, provider) is None

    def test_open(self, admin: Desk, paused: Provider) -> None:
        found = words(admin, paused)

        assert "Tried again in" in found
        assert "The service refused the client ID or secret." in found
        assert "Until then nothing is refreshed" in found
        assert "1 pause without a success since." in found
        assert resume_link(admin, paused).get_text() == "Resume calls"

    def test_half_open(self, admin: Desk, paused: Provider) -> None:
        half_open(paused)
        paused.pause(900, "invalid_client")
        half_open(paused)

        found = words(admin, paused)

        assert "One call at a time, after a pause" in found
        assert "One caller at a time may try." in found
        assert "2 pauses in a row without a success between." in found
        assert resume_link(admin, paused) is not None

    def test_the_list_says_it_too(self, admin: Desk, paused: Provider) -> None:
        assert "Tried again in" in admin.page("provider_changelist").get_text()
        half_open(paused)
        assert "One call at a time" in admin.page("provider_changelist").get_text()

    def test_there_is_none_for_a_new_provider(self, admin: Desk) -> None:
        assert "circuit breaker" not in admin.page("provider_add").get_text().lower()

    def test_who_may_only_look_sees_it_and_cannot_resume(
        self, staff: Callable[..., Desk], paused: Provider
    ) -> None:
        desk = staff("view_provider")

        assert "Paused until" in words(desk, paused)
        assert resume_link(desk, paused) is None


class TestResume:
    def test_the_question_changes_nothing(self, admin: Desk, paused: Provider) -> None:
        page = admin.page("provider_resume", paused.pk)

        form = page.find("form", method="post", action=None)
        assert form.find("input", type="submit")["value"] == "Resume calls"
        assert set(form_data(form)) == {"csrfmiddlewaretoken"}
        # The title is the page's first heading, the provider's name the next.
        assert [h.get_text() for h in page.find(id="content").find_all(["h1", "h2"])][
            :2
        ] == ["Resume calls", "Tracker"]
        assert page.find("script", string=True) is None
        paused.refresh_from_db()
        assert paused.is_paused()

    @pytest.mark.parametrize("open_", [True, False])
    def test_the_answer_closes_it_in_the_users_name(
        self, admin: Desk, paused: Provider, open_: bool
    ) -> None:
        if not open_:
            half_open(paused)

        response = admin.post("provider_resume", paused.pk)

        assert messages(response) == ["Calls to Tracker are made again."]
        assert response.redirect_chain == [(url("provider_change", paused.pk), 302)]
        paused.refresh_from_db()
        assert (paused.paused_until, paused.pause_reason) == (None, "")
        assert paused.pause_count == 0
        event = AccountEvent.objects.get(kind="provider_resumed")
        assert (event.actor, event.reason) == (admin.user, "by_admin")
        assert event.provider == paused

    def test_a_second_answer_is_told_so(self, admin: Desk, paused: Provider) -> None:
        admin.post("provider_resume", paused.pk)

        response = admin.post("provider_resume", paused.pk)

        assert messages(response) == ["Calls to Tracker were not paused any more."]
        assert AccountEvent.objects.filter(kind="provider_resumed").count() == 1

    def test_there_is_no_button_where_nothing_is_paused(
        self, admin: Desk, transactional_db: None
    ) -> None:
        page = admin.page("provider_resume", ProviderFactory().pk)

        assert page.find(id="content").find("form") is None
        assert "Closed: calls are not paused." in page.get_text()

    def test_a_provider_of_the_settings_too(
        self, staff: Callable[..., Desk], paused: Provider
    ) -> None:
        Provider.objects.update(source="settings")
        desk = staff("view_provider", "change_provider")

        assert resume_link(desk, paused) is not None
        desk.post("provider_resume", paused.pk)

        assert not Provider.objects.get().is_paused()

    @pytest.mark.parametrize("method", ["get", "post"])
    def test_it_takes_the_permission_to_change(
        self, staff: Callable[..., Desk], paused: Provider, method: str
    ) -> None:
        desk = staff("view_provider", "view_accountevent")

        response = getattr(desk, method)("provider_resume", paused.pk)

        assert response.status_code == 403
        assert Provider.objects.get().is_paused()

    def test_it_takes_a_log_in_and_the_csrf_token(
        self, admin: Desk, paused: Provider
    ) -> None:
        address = url("provider_resume", paused.pk)

        assert Client().post(address).status_code == 302
        admin.client.cookies["csrftoken"] = CSRF
        assert admin.client.post(address).status_code == 403
        assert admin.client.put(address).status_code in {403, 405}
        assert Provider.objects.get().is_paused()

    @pytest.mark.parametrize(
        "key", ["nonsense", "00000000-0000-0000-0000-000000000000"]
    )
    def test_a_provider_that_is_not_there(self, admin: Desk, key: str) -> None:
        assert admin.get("provider_resume", key).status_code == 404
        assert admin.post("provider_resume", key).status_code == 404


def test_a_new_secret_closes_it_and_says_so(admin: Desk, paused: Provider) -> None:
    admin.submit("provider_change", paused.pk, new_client_secret="entered-7")

    event = AccountEvent.objects.get(kind="provider_resumed")
    assert (event.actor, event.reason) == (admin.user, "secret_changed")
    shown = admin.page("accountevent_change", event.pk).get_text()
    assert "Its secret or an address was changed." in shown


def test_an_account_with_unread_answers_is_deleted_without_more_permissions(
    staff: Callable[..., Desk], account
) -> None:
    account.unread_answers.create(body="only-here-9")
    desk = staff("view_connectedaccount", "delete_connectedaccount")

    asked = desk.get("connectedaccount_delete", account.pk)
    assert b"only-here-9" not in asked.content
    desk.post("connectedaccount_delete", account.pk, post="yes")

    assert not type(account).objects.exists()
