"""Two providers, one of them hostile: whose code goes where (RFC 9207, RFC 9700 4.4)."""

from __future__ import annotations

from typing import Any

import pytest

from oauth_accounts.models import Provider
from tests.security.stage import (
    Stage,
    changed,
    elsewhere,
    parameter,
    path_of,
    provider_row,
)


def lured(stage: Stage, **changes: Any) -> str:
    """
    Start at AS2, whose page sends the browser on to AS1, and return what AS1 answers.

    The user, who meant AS2, consents at AS1; the code is AS1's and the state AS2's.
    """
    address = stage.a.start("as2")
    stolen = {"client_id": stage.as1.client_id, **changes}
    own = changed(address, **stolen).partition("?")[2]
    return path_of(stage.as1.authorize(f"{stage.as1.authorization_endpoint}?{own}"))


def own_uri(stage: Stage, slug: str) -> str:
    return parameter(stage.b.start(slug), "redirect_uri")


class TestHostileProvider:
    """A2.7 and B14: AS2 is after a code of AS1."""

    @pytest.fixture
    def own_uris(self, stage: Stage) -> dict[str, str]:
        return {slug: own_uri(stage, slug) for slug in ("as1", "as2")}

    def test_a1_8_b14_as1_sends_nobody_to_the_callback_of_as2(
        self, stage: Stage, own_uris: dict[str, str]
    ) -> None:
        stage.as1.redirect_uris = [own_uris["as1"]]
        with pytest.raises(ValueError, match="not a registered one"):
            lured(stage)

    def test_a2_7_b14_at_the_callback_of_as1(
        self, stage: Stage, own_uris: dict[str, str]
    ) -> None:
        path = lured(stage, redirect_uri=own_uris["as1"])
        stage.reject(stage.a, path, reason="other_provider")
        assert stage.as2.requests == []

    def test_a2_7_a2_8_b14_where_as1_is_careless_with_redirect_uris(
        self, stage: Stage
    ) -> None:
        stage.reject(stage.a, lured(stage), reason="issuer_mismatch")
        assert stage.as2.requests == []

    def test_a2_7_b14_a_registration_that_two_providers_share(
        self, stage: Stage, own_uris: dict[str, str]
    ) -> None:
        # AS2 is set up with AS1's client, as a proxy of it might be.
        row = Provider.objects.get(slug="as2")
        row.client_id = stage.as1.client_id
        row.save()
        stage.reject(stage.a, lured(stage), reason="issuer_mismatch")
        path = lured(stage, redirect_uri=own_uris["as1"])
        stage.reject(stage.a, path, reason="other_provider")
        assert stage.as2.requests == []


def test_a2_7_a_provider_that_moves_while_the_user_is_there(stage: Stage) -> None:
    for name, value in (
        ("issuer", "https://evil.example"),
        ("client_id", "another-client"),
        ("token_endpoint", stage.as2.token_endpoint),
        ("authorization_endpoint", stage.as2.authorization_endpoint),
        ("enabled", False),
    ):
        path = stage.way_back(stage.a)
        rows = Provider.objects.filter(slug="as1")
        before = rows.values(name).get()
        rows.update(**{name: value})
        stage.reject(stage.a, path, reason="provider_changed")
        rows.update(**before)
    assert stage.as2.requests == []


def variants(issuer: str) -> list[str | list[str] | None]:
    return [
        "https://other.example",
        f"{issuer}/",
        issuer.upper(),
        f"{issuer}:443",
        f" {issuer}",
        f"{issuer}\0",
        "",
        issuer.replace("http:", "https:"),
        issuer.removesuffix(issuer[-1]),
    ]


class TestIssuer:
    """A2.8: character by character, on errors too."""

    def test_a2_8_any_other_spelling(self, stage: Stage) -> None:
        for iss in variants(stage.as1.issuer):
            path = changed(stage.way_back(stage.a), iss=iss)
            stage.reject(stage.a, path, reason="issuer_mismatch")

    def test_a2_8_twice(self, stage: Stage) -> None:
        issuer = stage.as1.issuer
        for pair in ([issuer, issuer], [issuer, "https://other.example"]):
            path = changed(stage.way_back(stage.a), iss=pair)
            stage.reject(stage.a, path, reason="malformed_response")

    def test_a2_8_not_there_although_it_was_promised(self, stage: Stage) -> None:
        path = changed(stage.way_back(stage.a), iss=None)
        stage.reject(stage.a, path, reason="issuer_missing")

    def test_a2_8_on_error_responses(self, stage: Stage) -> None:
        stage.as1.deny = True
        for iss, reason in (
            ("https://other.example", "issuer_mismatch"),
            (None, "issuer_missing"),
            (stage.as1.issuer, "access_denied"),
        ):
            path = changed(stage.way_back(stage.a), iss=iss)
            stage.reject(stage.a, path, reason=reason)

    def test_a2_8_not_promised_and_not_there(self, stage: Stage) -> None:
        Provider.objects.update(authorization_response_iss_parameter_supported=False)
        stage.accept(stage.a, changed(stage.way_back(stage.a), iss=None))
        path = changed(stage.way_back(stage.a), iss="https://other.example")
        stage.reject(stage.a, path, reason="issuer_mismatch")

    def test_a2_8_no_issuer_to_compare_with(self, stage: Stage) -> None:
        provider_row(stage.as2, "as3", "without issuer")
        for iss in (stage.as2.issuer, "https://other.example", None):
            path = changed(stage.way_back(stage.a, "as3"), iss=iss)
            stage.accept(stage.a, path)
        assert "Provider as3 sends iss but has no issuer here." in stage.log()

    def test_a2_8_the_right_one_at_the_wrong_callback(self, stage: Stage) -> None:
        path = elsewhere(stage.way_back(stage.a), "as2")
        stage.reject(stage.a, path, reason="other_provider")
