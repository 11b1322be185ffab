"""E15 to E20: successful answers that leave things out, or say them oddly."""

from __future__ import annotations

from datetime import timedelta

import pytest

from oauth_accounts import sweep
from oauth_accounts.clock import DatabaseNow, utcnow
from oauth_accounts.exceptions import ReauthRequired
from oauth_accounts.models import ConnectedAccount
from oauth_accounts.testing.wire import Answer

MISSING = object()
NEAR = timedelta(seconds=20)


def again(account):
    return ConnectedAccount.objects.get(pk=account.pk)


def amended(server, **members):
    """The usual answer with some members changed; MISSING leaves one out."""

    def answer(request):
        usual = server.respond(request)
        members_now = {**usual.json, **members}
        return Answer(json={k: v for k, v in members_now.items() if v is not MISSING})

    return answer


def age(account, seconds):
    """Let the stored token be so much older, and everything that follows from it."""
    row = again(account)
    names = ("issued_at", "expires_at", "refresh_due_at", "last_refreshed_at")
    rows = ConnectedAccount.objects.filter(pk=account.pk)
    dates = {name: getattr(row, name) for name in names}
    rows.update(
        **{
            name: date - timedelta(seconds=seconds)
            for name, date in dates.items()
            if date is not None
        }
    )


@pytest.mark.parametrize("way", ["asked for", "swept"])
@pytest.mark.parametrize("value", [MISSING, None, ""], ids=["missing", "null", "empty"])
def test_e15_no_new_refresh_token(account, server, later, value, way):
    """The old one is kept, and works the next time."""
    server.rotate = False
    kept = account.reveal("refresh_token")
    server.script(amended(server, refresh_token=value))
    for count in (1, 2):
        if way == "swept":
            later()
            assert sweep.run().refreshed == 1
        else:
            again(account).refresh()
        row = again(account)
        assert row.reveal("refresh_token") == kept
        assert server.is_live(row.get_access_token())
        assert len(server.token_requests) == count


@pytest.mark.parametrize("way", ["asked for", "swept"])
def test_e16_a_new_refresh_token(account, server, later, way):
    """The new one takes the place of the old one, with the date it dies at."""
    old = account.reveal("refresh_token").get_value()
    server.script(amended(server, refresh_token_expires_in=7 * 86_400))
    sent = utcnow()
    if way == "swept":
        assert sweep.run().refreshed == 1
    else:
        account.refresh()
    row = again(account)
    new = row.reveal("refresh_token").get_value()
    assert server.is_live(new)
    assert not server.is_live(old)
    ahead = row.refresh_token_expires_at - sent
    assert abs(ahead - timedelta(days=7)) < NEAR

    later()
    assert sweep.run().refreshed == 1
    assert server.token_requests[-1].form["refresh_token"] == new
    assert server.replays == 0
    # The date belonged to the token it came with.
    assert again(account).refresh_token_expires_at is None


def test_e16_a_refresh_token_past_its_date_is_not_sent(account, server, later, told):
    """Its owner is asked instead, and told why."""
    server.script(amended(server, refresh_token_expires_in=60, expires_in=3600))
    account.refresh()
    rows = ConnectedAccount.objects.filter(pk=account.pk)
    rows.update(
        refresh_token_expires_at=DatabaseNow() - timedelta(seconds=1),
        expires_at=DatabaseNow() - timedelta(seconds=1),
    )
    later()
    sweep.run()
    assert len(server.token_requests) == 1
    assert again(account).status_reason == "refresh_token_expired"
    assert told[-1] == ("reauth_required", {"reason": "refresh_token_expired"})


@pytest.mark.parametrize("value", [MISSING, None], ids=["missing", "null"])
@pytest.mark.parametrize("default", [None, 600])
def test_e17_no_lifetime(account, server, value, default):
    """
    The provider's default counts, or the token is used until it is refused: no beat takes
    it for a token that has to be refreshed every minute.
    """
    type(account.provider).objects.update(default_lifetime=default)
    server.script(amended(server, expires_in=value))
    for _beat in range(3):
        sweep.run()

    row = again(account)
    assert len(server.token_requests) == 1
    assert server.is_live(row.get_access_token())
    if default is None:
        assert (row.expires_at, row.refresh_due_at) == (None, None)
        with pytest.raises(ReauthRequired):
            refused(row, server)
    else:
        assert abs(row.expires_at - row.issued_at - timedelta(seconds=default)) < NEAR
        assert row.refresh_due_at > utcnow() + timedelta(seconds=200)


def refused(row, server):
    """The API refuses the token, which is how its end shows; so is the refresh token."""
    server.book.revoke(row.reveal("refresh_token").get_value())
    row.replace_rejected(row.reveal("access_token"))


@pytest.mark.parametrize("way", ["asked for", "swept"])
@pytest.mark.parametrize("value", [0, -5, "0"])
def test_e18_a_lifetime_of_nothing(account, server, value, way):
    """
    At most one call a minute, whoever asks and however often; and after that minute the
    token is not believed to be good for much longer.
    """
    server.script(*[amended(server, expires_in=value)] * 6)

    def ask():
        if way == "swept":
            sweep.run()
        else:
            again(account).get_access_token()

    ask()
    for _ in range(4):
        age(account, 14)
        ask()
    assert len(server.token_requests) == 1
    assert server.is_live(again(account).reveal("refresh_token").get_value())
    age(account, 70)
    ask()
    assert len(server.token_requests) == 2


YEAR = 365 * 86_400
LIFETIMES = [
    ('"3600"', 3600),
    ('" 3600 "', 3600),
    ("3600.0", 3600),
    ('"3600.5"', None),
    ("3600.9", None),
    ("true", None),
    ("[1]", None),
    ("{}", None),
    ('"abc"', None),
    ("NaN", None),
    ("Infinity", None),
    ("1e400", YEAR),
    (f"1{'0' * 30}", YEAR),
    (f"1{'0' * 5000}", YEAR),
    ("1000000000000", YEAR),
    (f'"{"9" * 18}"', YEAR),
]


@pytest.mark.parametrize(
    ("written", "seconds"), LIFETIMES, ids=[written[:12] for written, _ in LIFETIMES]
)
def test_e19_any_lifetime(account, server, written, seconds):
    """
    Whatever the provider writes, the new refresh token is stored: numbers count, up to a
    year, and anything else is as if it were left out.
    """
    new = "rt-of-an-odd-answer"
    body = (
        '{"access_token": "at-of-an-odd-answer", "token_type": "Bearer", '
        f'"refresh_token": "{new}", "expires_in": {written}}}'
    )
    server.script(Answer(body=body, headers={"Content-Type": "application/json"}))
    assert sweep.run().refreshed == 1

    row = again(account)
    assert row.reveal("refresh_token").get_value() == new
    assert row.get_access_token() == "at-of-an-odd-answer"
    if seconds is None:
        assert row.expires_at is None
    else:
        life = row.expires_at - row.issued_at
        assert abs(life - timedelta(seconds=seconds)) < timedelta(seconds=1)


@pytest.mark.parametrize("value", [9_999_999_999, "2286-11-20T17:46:39Z", 1])
@pytest.mark.parametrize("expires_in", [3600, MISSING], ids=["with", "without"])
def test_e20_a_date_by_the_providers_clock(account, server, value, expires_in):
    """`expires_at` is no member of the standard and in nobody's zone: it is not read."""
    server.script(amended(server, expires_at=value, expires_in=expires_in))
    account.refresh()
    row = again(account)
    if expires_in is MISSING:
        assert row.expires_at is None
    else:
        assert abs(row.expires_at - utcnow() - timedelta(hours=1)) < NEAR
    assert server.is_live(row.get_access_token())
