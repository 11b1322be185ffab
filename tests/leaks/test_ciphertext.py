"""A8.2, B38, C1: what happens to a ciphertext that somebody has changed."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models import F, Value

from oauth_accounts import keyring
from oauth_accounts.exceptions import TokenUndecryptable
from oauth_accounts.fields import Sealed
from oauth_accounts.models import ConnectedAccount
from tests.rows import again, store, stored
from tests.views.browser import Browser, list_url


@pytest.mark.parametrize("length", [10, 26, 42])
@pytest.mark.parametrize("flip", [0x01, 0x02, 0x20, 0x80, 0xFF])
def test_a8_2_no_byte_can_be_changed(make_account: Any, flip: int, length: int) -> None:
    account = make_account()
    account.access_token = "t" * length
    account.save(update_fields=["access_token"])
    sealed = stored(account)
    assert sealed is not None
    opened = []
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= flip
        account.access_token = Sealed(bytes(changed))
        try:
            account.reveal("access_token")
        except TokenUndecryptable:
            continue
        opened.append(position)
    assert opened == []


@pytest.mark.parametrize("change", [b"", b"x", b"=", b"\n", b"\0", b"gAAAAA"])
def test_a8_2_nothing_can_be_added_or_left_out(
    make_account: Any, change: bytes
) -> None:
    account = make_account()
    sealed = stored(account)
    assert sealed is not None
    variants = [change + sealed, sealed + change, sealed[:50] + change + sealed[50:]]
    variants += [sealed[:-1] + change, sealed[1:], change]
    for variant in variants:
        if variant == sealed:
            continue
        account.access_token = Sealed(variant)
        with pytest.raises(TokenUndecryptable):
            account.reveal("access_token")
        # Nor does a rotation of keys make it good again.
        with pytest.raises(TokenUndecryptable):
            keyring.current().reseal(variant)
        assert keyring.key_id_of(variant) is None


@pytest.mark.parametrize("position", [0, 12, 40, -30, -1])
def test_a8_2_a_changed_row_breaks_no_page(
    browser: Browser, desk: Any, position: int
) -> None:
    account = browser.connect()
    sealed = bytearray(stored(account) or b"")
    sealed[position] ^= 1
    store(account, "access_token", bytes(sealed))
    assert browser.get(list_url()).status_code == 200
    assert desk.get("connectedaccount_changelist").status_code == 200
    response = desk.get("connectedaccount_change", account.pk)
    assert response.status_code == 200
    with pytest.raises(TokenUndecryptable):
        again(account).reveal("access_token")


def test_c1_b38_bulk_update_and_expressions_keep_tokens(make_account: Any) -> None:
    first, second = make_account("one"), make_account("two")
    before = [stored(first), stored(second)]
    first.label = second.label = "renamed"
    ConnectedAccount.objects.bulk_update(
        [first, second], ["label", "access_token", "refresh_token"]
    )
    ConnectedAccount.objects.update(access_token=F("access_token"))
    assert [stored(first), stored(second)] == before
    for plain in ("plain", Value("plain")):
        with pytest.raises(TypeError):
            ConnectedAccount.objects.update(access_token=plain)
    assert [stored(first), stored(second)] == before
