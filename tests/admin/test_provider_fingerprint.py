"""Which secret is stored, told by a fingerprint that tells nothing about it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from bs4 import BeautifulSoup
from django.test import override_settings

from oauth_accounts import keyring
from oauth_accounts.models import ConnectedAccount, Provider
from oauth_accounts.testing.server import FakeProvider
from tests.admin.desk import Desk
from tests.rows import alter, store
from tests.settings import FERNET_KEYS

pytestmark = pytest.mark.faces

OTHER_KEY = "another-sealing-key-made-up-for-this-test-5d0e7a94"


@pytest.fixture
def desk(staff: Callable[..., Desk]) -> Desk:
    return staff("change_provider", "view_provider")


def shown(page: BeautifulSoup) -> str:
    """Return what the page says about what is stored."""
    stored = page.select_one(".field-new_client_secret .oauth-accounts-stored")
    return " ".join(stored.get_text().split())


def line(desk: Desk, provider: Provider) -> str:
    return shown(desk.page("provider_change", provider.pk))


def fingerprint(desk: Desk, provider: Provider) -> str:
    page = desk.page("provider_change", provider.pk)
    return page.select_one(".field-new_client_secret code").get_text()


class TestFingerprint:
    def test_it_is_of_the_secret_and_not_of_its_ciphertext(
        self, desk: Desk, provider: Provider, server: FakeProvider
    ) -> None:
        before = fingerprint(desk, provider)
        desk.submit("provider_change", provider.pk, new_client_secret="another")
        between = fingerprint(desk, provider)
        secret = server.client_secret
        desk.submit("provider_change", provider.pk, new_client_secret=secret)
        assert fingerprint(desk, provider) == before != between

    def test_it_is_keyed_and_of_its_place(self, provider: Provider) -> None:
        of_this = keyring.fingerprint(b"guessable", "place")
        assert of_this == keyring.fingerprint(b"guessable", "place")
        assert of_this not in hashlib.sha256(b"guessable").hexdigest()
        assert of_this != keyring.fingerprint(b"guessable", "another")
        with override_settings(FERNET_KEYS=[OTHER_KEY]):
            assert keyring.fingerprint(b"guessable", "place") != of_this
        with override_settings(FERNET_KEYS=[*FERNET_KEYS, OTHER_KEY]):
            assert keyring.fingerprint(b"guessable", "place") == of_this
        assert "digest" not in repr(keyring.current())

    def test_what_was_entered_and_refused_has_none(
        self, desk: Desk, provider: Provider
    ) -> None:
        """Otherwise guesses could be compared with it, and nobody would hear of them."""
        before = fingerprint(desk, provider)
        response = desk.submit(
            "provider_change", provider.pk, name="", new_client_secret="a-guess"
        )
        page = BeautifulSoup(response.content, "html.parser")
        code = page.select_one(".field-new_client_secret code")
        assert code.get_text() == before

    def test_who_may_look_sees_it(
        self, desk: Desk, staff: Callable[..., Desk], provider: Provider
    ) -> None:
        found = fingerprint(desk, provider)
        desk.user.user_permissions.clear()
        desk.user.delete()
        viewer = staff("view_provider")
        page = viewer.page("provider_change", provider.pk)
        assert found in page.select_one(".field-client_secret_hint").get_text()
        hint = page.select_one(".field-private_key_hint .readonly")
        assert hint.get_text() == "None is stored."

    @pytest.mark.parametrize("how", ["rubbish", "no key", "another key"])
    def test_it_says_so_when_the_secret_cannot_be_read(
        self, desk: Desk, provider: Provider, how: str
    ) -> None:
        if how == "rubbish":
            store(provider, "client_secret", b"rubbish")
        keys = {"no key": [], "another key": [OTHER_KEY]}.get(how, FERNET_KEYS)
        with override_settings(FERNET_KEYS=keys):
            assert "It cannot be read" in line(desk, provider)

    def test_the_secret_of_before_is_known_by_its_pin(
        self, desk: Desk, provider: Provider
    ) -> None:
        before = fingerprint(desk, provider)
        alter(provider, issuer="https://evil.example")
        assert fingerprint(desk, provider) == before


class TestChange:
    def test_when_and_by_whom(self, desk: Desk, provider: Provider) -> None:
        assert "Changed" not in line(desk, provider)
        desk.submit("provider_change", provider.pk, new_client_secret="another")
        assert "by staff." in line(desk, provider)
        desk.submit("provider_change", provider.pk, new_private_key="a key")
        assert "by staff." in line(desk, provider)
        provider.events.update(actor=None)
        found = line(desk, provider)
        assert "Changed on" in found
        assert "staff" not in found


@pytest.mark.faces
class TestReplace:
    def test_the_input_is_folded_away(self, desk: Desk, provider: Provider) -> None:
        page = desk.page("provider_change", provider.pk)
        details = page.select_one(".field-new_client_secret details")
        assert not details.has_attr("open")
        assert details.find("summary").get_text() == "Replace"
        field = details.find("input", attrs={"name": "new_client_secret"})
        assert (field["type"], field.get("value")) == ("password", None)
        assert field["aria-describedby"] == "id_new_client_secret_helptext"
        assert page.select_one(".field-new_private_key details") is None

    def test_it_opens_where_something_is_wrong(
        self, desk: Desk, account: ConnectedAccount
    ) -> None:
        response = desk.submit(
            "provider_change",
            account.provider.pk,
            api_base_url="https://elsewhere.example/",
        )
        page = BeautifulSoup(response.content, "html.parser")
        assert page.select_one(".field-new_client_secret details").has_attr("open")

    def test_removing_is_a_tick_of_its_own(
        self, desk: Desk, provider: Provider
    ) -> None:
        page = desk.page("provider_change", provider.pk)
        tick = page.find("input", attrs={"name": "remove_client_secret"})
        assert tick.find_parent("details") is None
