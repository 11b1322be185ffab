"""States as pills: words, and colours that can be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import oauth_accounts
from oauth_accounts.admin import badges
from oauth_accounts.models import ConnectedAccount, PendingRevocation

CSS = Path(oauth_accounts.__file__).parent / "static/oauth_accounts/admin.css"

pytestmark = pytest.mark.faces


def test_a_state_is_a_word_on_a_colour() -> None:
    assert badges.pill("needs_reauth") == (
        '<span class="oauth-accounts-pill oauth-accounts-pill--warning">'
        "Needs reauthorisation</span>"
    )


def test_the_word_can_be_another() -> None:
    assert ">Paused until noon<" in badges.pill("paused", "Paused until noon")


def test_an_unknown_state_is_shown_as_it_is_and_escaped() -> None:
    assert badges.pill("<b>") == (
        '<span class="oauth-accounts-pill oauth-accounts-pill--off">&lt;b&gt;</span>'
    )


def test_every_status_of_accounts_and_revocations_has_a_pill() -> None:
    known = {*ConnectedAccount.Status.values, *PendingRevocation.Status.values}
    assert known <= set(badges.STATES)


def test_every_tone_is_readable_in_light_and_in_dark() -> None:
    blocks = re.findall(r"\{([^{}]*-good-bg:[^{}]*)\}", CSS.read_text())
    assert len(blocks) == 3
    for block in blocks:
        colours = dict(re.findall(r"--oauth-accounts-([\w-]+): (#\w{6});", block))
        for tone in {tone for tone, word in badges.STATES.values()}:
            ground, text = colours[f"{tone}-bg"], colours[f"{tone}-fg"]
            assert _contrast(ground, text) >= 7, (tone, ground, text)


def _contrast(one: str, other: str) -> float:
    """Return the ratio of WCAG 2, of 1 to 21."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
