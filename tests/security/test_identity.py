"""Who an account is: the provider's row and its subject, exactly, and nothing else."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest

from oauth_accounts.models import ConnectedAccount, PendingRevocation, Provider
from oauth_accounts.testing.server import Answer
from tests.security.stage import Stage

# Each pair is one text to some collation of a database.
LOOKALIKES = [
    ("Abc", "abc"),
    ("abc", "abc "),
    ("straße", "strasse"),
    (unicodedata.normalize("NFC", "zoë"), unicodedata.normalize("NFD", "zoë")),
    ("ａｂｃ", "abc"),
    ("1", "01"),
    ("1", "1.0"),
]


@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize(("one", "other"), LOOKALIKES)
def test_a2_15_b16_subjects_that_look_alike(
    stage: Stage, one: str, other: str, exclusive: bool
) -> None:
    Provider.objects.update(exclusive_subjects=exclusive)
    first = stage.connect(stage.a, subject=one)
    path = stage.consent(stage.b.start("as1"), subject=other)
    stage.accept(stage.b, path)
    second = ConnectedAccount.objects.exclude(pk=first.pk).get()
    assert (first.uid, second.uid) == (one, other)
    assert (first.owner, second.owner) == (stage.user("anna"), stage.user("bert"))
    # And again: each finds its own.
    for browser, subject in ((stage.a, one), (stage.b, other)):
        stage.accept(browser, stage.consent(browser.start("as1"), subject=subject))
    assert ConnectedAccount.objects.count() == 2


@pytest.mark.parametrize("sub", ["Abc", "abc "])
def test_a2_15_b16_a_lookalike_is_no_reconnect(stage: Stage, sub: str) -> None:
    account = stage.connect(stage.a, subject="abc")
    address = stage.a.post(f"/accounts/connected/reconnect/{account.pk}/")["Location"]
    path = stage.consent(address, subject=sub)
    stage.reject(stage.a, path, reason="identity_mismatch", status=409, calls=1)
    # Nor does it stand in the way of revoking what came for it.
    assert PendingRevocation.objects.get().reason == "identity_mismatch"


def test_a2_15_a_number_and_its_digits_are_one_subject(stage: Stage) -> None:
    for sub in (4711, "4711"):
        stage.as1.script(Answer(json={"sub": sub}), endpoint="userinfo")
        stage.accept(stage.a, stage.way_back(stage.a))
    assert ConnectedAccount.objects.get().uid == "4711"


def test_a2_15_other_json_is_nobody(stage: Stage) -> None:
    values: tuple[Any, ...] = (1.0, 1e400, True, None, [], ["abc"], {}, "", "a\nb")
    for sub in values:
        stage.as1.script(Answer(json={"sub": sub}), endpoint="userinfo")
        path = stage.way_back(stage.a)
        stage.reject(stage.a, path, reason="identity_missing", calls=1)


def test_a2_15_one_subject_at_two_providers(stage: Stage) -> None:
    accounts = {stage.connect(stage.a, slug).pk for slug in ("as1", "as2")}
    assert len(accounts) == 2
    assert set(ConnectedAccount.objects.values_list("uid", flat=True)) == {"alice"}


def test_a2_15_b17_somebody_elses_address_links_nothing(stage: Stage) -> None:
    bert = stage.user("bert")
    of_bert = stage.connect(stage.b, subject="bert")
    claims = {"email": bert.email, "email_verified": True, "name": "bert"}
    stage.as1.profiles["mallory"] = {**claims, "preferred_username": "bert"}
    account = stage.connect(stage.a, subject="mallory")
    assert account.owner == stage.user("anna")
    assert account.pk != of_bert.pk
    assert list(ConnectedAccount.objects.for_owner(bert)) == [of_bert]


def test_a2_16_linked_to_somebody_else(stage: Stage) -> None:
    Provider.objects.update(exclusive_subjects=True)
    stage.connect(stage.a)
    path = stage.way_back(stage.b)
    page = stage.reject(
        stage.b, path, reason="account_in_use", status=409, calls=1
    ).content
    assert b"anna" not in page
    late = PendingRevocation.objects.get()
    assert stage.as1.is_live(late.reveal("refresh_token").get_value())
