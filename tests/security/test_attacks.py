"""What an outsider tried on the running example, and what was found there."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

from oauth_accounts.models import ConnectedAccount, Provider
from oauth_accounts.models.provider_columns import PARAMETER_FIELDS
from tests.admin.desk import Desk, errors
from tests.security.stage import Stage
from tests.security.test_past import FIELDS
from tests.views.browser import reconnect_url

BLANK = ("", "null")
NO_OBJECT = ("[]", '""')


@pytest.fixture
def root(transactional_db: None) -> Desk:
    return Desk(User.objects.create_superuser("root"))


class TestWhoeverLeavesMeanwhile:
    """A member begins, is removed from the organisation, and comes back with the code."""

    @pytest.fixture
    def acting_for(self, stage: Stage, settings: Any) -> dict[str, Any]:
        acting = {"owner": stage.user("bert")}
        settings.OAUTH_ACCOUNTS_GET_OWNER = lambda request: acting["owner"]
        return acting

    def test_attack_to_connect_for_an_owner_that_was_left(
        self, stage: Stage, acting_for: dict[str, Any]
    ) -> None:
        for now in (stage.user("anna"), None):
            acting_for["owner"] = stage.user("bert")
            path = stage.way_back(stage.a)
            acting_for["owner"] = now
            stage.reject(stage.a, path, reason="other_owner", status=403)

    def test_attack_to_reconnect_for_an_owner_that_was_left(
        self, stage: Stage, acting_for: dict[str, Any]
    ) -> None:
        account = stage.connect(stage.a)
        address = stage.a.post(reconnect_url(account))["Location"]
        acting_for["owner"] = stage.user("anna")
        path = stage.consent(address)
        stage.reject(stage.a, path, reason="other_owner", status=403)

    def test_who_stays_comes_through(
        self, stage: Stage, acting_for: dict[str, Any]
    ) -> None:
        account = stage.connect(stage.a)
        assert account.owner == stage.user("bert")
        assert account.connected_by == stage.user("anna")


class TestParametersThatAreNone:
    """Nothing at all, and what is no object, in the place of more parameters."""

    @pytest.mark.parametrize("name", PARAMETER_FIELDS)
    def test_attack_with_blank_parameters(self, root: Desk, name: str) -> None:
        for number, text in enumerate(BLANK):
            changes = {"slug": f"forge-{number}", name: text}
            response = root.submit("provider_add", **FIELDS | changes)
            assert response.status_code == 200
            assert getattr(Provider.objects.get(slug=f"forge-{number}"), name) == {}

    @pytest.mark.parametrize("name", PARAMETER_FIELDS)
    def test_attack_with_parameters_that_break_every_connect(
        self, root: Desk, name: str
    ) -> None:
        for text in NO_OBJECT:
            response = root.submit("provider_add", **FIELDS | {name: text})
            assert list(errors(response)) == [name], text
        assert not Provider.objects.exists()

    def test_attack_with_such_parameters_in_settings(self, provider: Provider) -> None:
        provider.token_params = []
        with pytest.raises(ValidationError) as raised:
            provider.full_clean()
        assert list(raised.value.message_dict) == ["token_params"]


def test_attack_with_the_consent_page_of_another_provider(root: Desk) -> None:
    """Codes of an honest server, for a client that sends them to another's endpoint."""
    root.submit("provider_add", **FIELDS | {"issuer": "https://forge.example"})
    lookalike = FIELDS | {
        "slug": "forge-2",
        "token_endpoint": "https://attacker.example/token",
        "userinfo_endpoint": "https://attacker.example/userinfo",
    }
    for issuer in ("", "https://forge.example/"):
        response = root.submit("provider_add", **lookalike | {"issuer": issuer})
        assert list(errors(response)) == ["authorization_endpoint"]
    assert Provider.objects.count() == 1
    assert not ConnectedAccount.objects.exists()
