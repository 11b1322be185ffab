"""Starting, in numbers, and at providers that are changed under way."""

from __future__ import annotations

import base64
import json

import pytest
from django.db.models import ProtectedError
from django.test import RequestFactory

from oauth_accounts import connect
from oauth_accounts.models import AuthorizationAttempt, Provider
from tests.security.stage import Stage, parameter, provider_row
from tests.views.browser import connect_url

BAD_ADDRESSES = (
    "javascript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "http://provider.example/authorize",
    "https://provider.example\\@evil.example/",
    "https://user:password@provider.example/",
    "https://provider.example/authorize?state=fixed",
    "https://provider.example/authorize?client_id=other",
    "https://provider.example/authorize#fragment",
)


def test_a1_5_a_thousand_states_say_nothing(stage: Stage) -> None:
    request = RequestFactory().get("/")
    request.user = stage.user("anna")
    row = Provider.objects.get(slug="as1")
    states = set()
    for _again in range(1000):
        url = connect.start(request, row, next_path="/marker-of-next/").url
        states.add(parameter(url, "state"))
    assert len(states) == 1000
    assert {len(state) for state in states} == {43}
    for state in states:
        raw = base64.urlsafe_b64decode(state + "=")
        assert len(raw) == 32
        for word in (b"marker-of-next", row.client_id.encode()):
            assert word not in raw
        with pytest.raises(ValueError):  # noqa: PT011  # of JSON or of UTF-8
            json.loads(raw)
    stored = set(AuthorizationAttempt.objects.values_list("state_hash", flat=True))
    assert len(stored) == 1000
    assert stored.isdisjoint(states)


def test_a1_8_a_provider_of_the_same_name_is_another(stage: Stage) -> None:
    path = stage.way_back(stage.a)
    Provider.objects.get(slug="as1").delete()
    provider_row(stage.as1, "as1", "plain")
    stage.reject(stage.a, path, reason="state_unknown_or_used")
    stage.connect(stage.a)
    with pytest.raises(ProtectedError):
        Provider.objects.get(slug="as1").delete()


def test_a1_8_a_slug_changed_by_sql_opens_no_old_attempt(stage: Stage) -> None:
    path = stage.way_back(stage.a)
    Provider.objects.filter(slug="as1").update(slug="renamed")
    stage.reject(stage.a, path, reason="other_provider")


@pytest.mark.parametrize("address", BAD_ADDRESSES)
def test_a1_6_a1_12_b26_an_address_forced_in_by_sql(stage: Stage, address: str) -> None:
    Provider.objects.filter(slug="as1").update(authorization_endpoint=address)
    response = stage.a.post(connect_url("as1"))
    assert response.status_code == 502
    assert "Location" not in response
    assert not AuthorizationAttempt.objects.exists()


def test_a1_4_a_provider_without_s256_gets_it_all_the_same(stage: Stage) -> None:
    # The admin and the settings refuse such a row; this one came by SQL.
    rows = Provider.objects.filter(slug="as1")
    rows.update(code_challenge_methods_supported=["plain"])
    address = stage.a.start("as1")
    assert parameter(address, "code_challenge_method") == "S256"
    stage.accept(stage.a, stage.consent(address))


def test_a1_13_three_hundred_starts_leave_the_newest_ten(stage: Stage) -> None:
    before = dict(stage.a.client.session)
    addresses = [stage.a.start("as1") for _again in range(300)]
    assert AuthorizationAttempt.objects.count() == 10
    assert dict(stage.a.client.session) == before
    evicted, kept = addresses[-11], addresses[-10]
    stage.reject(stage.a, stage.consent(evicted), reason="state_unknown_or_used")
    stage.accept(stage.a, stage.consent(kept))


def test_a3_14_the_redirect_itself_prints_no_state(stage: Stage) -> None:
    response = stage.a.post(connect_url("as1"))
    assert parameter(response["Location"], "state") not in repr(response)
