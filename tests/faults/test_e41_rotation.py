"""E41: keys are rotated while workers refresh, and whoever does it may be killed."""

from __future__ import annotations

import pytest

from oauth_accounts import clock, fields, keyring, rotate
from oauth_accounts.models import AccountEvent, ConnectedAccount, PendingRevocation
from oauth_accounts.testing.factories import ProviderFactory
from tests.command import Child, wait_until
from tests.faults.meanwhile import PATHS, during, renew
from tests.rows import again

NEXT = "the-key-that-comes-after-the-present-one-4e2d97"
# With one row in a transaction these take a second or more.
MANY = 2000
# A module of settings that differs in its keys only.
KEYS = """
from tests.settings import *
FERNET_KEYS = {keys!r}
"""


@pytest.fixture
def with_keys(child_environment, tmp_path):
    """Return the environment of a process that has these keys, `with_keys(*keys)`."""

    def make(*keys):
        module = tmp_path / "keys_of_children.py"
        module.write_text(KEYS.format(keys=list(keys)))
        path = f"{tmp_path}:{child_environment['PYTHONPATH']}"
        return {
            # What is killed leaves half a file of measurements.
            **{k: v for k, v in child_environment.items() if "COVERAGE" not in k},
            "DJANGO_SETTINGS_MODULE": module.stem,
            "PYTHONPATH": path,
        }

    return make


def make_many(count):
    provider = ProviderFactory()
    accounts = [ConnectedAccount(provider=provider, uid=str(n)) for n in range(count)]
    for account in accounts:
        account.access_token = f"access-{account.uid}"
        account.refresh_token = f"refresh-{account.uid}"
        account.refresh_due_at = clock.utcnow()
    ConnectedAccount.objects.bulk_create(accounts, batch_size=500)


def count_under(key_id):
    return ConnectedAccount.objects.filter(key_id=key_id).count()


def assert_all_open():
    for account in ConnectedAccount.objects.select_related("provider"):
        for name in ("access_token", "refresh_token"):
            prefix = name.partition("_")[0]
            assert account.reveal(name).get_value() == f"{prefix}-{account.uid}"


def test_c5_e41_a_run_is_killed_midway(transactional_db, with_keys, settings, tmp_path):
    """kill -9 of the command loses nothing, and the next run does what is left."""
    make_many(MANY)
    old = settings.FERNET_KEYS
    environment = with_keys(NEXT, *old)
    settings.FERNET_KEYS = [NEXT, *old]
    new = keyring.current_key_id()

    with Child(environment, tmp_path, "rotate-keys", "--batch-size=1") as child:
        wait_until(lambda: count_under(new) > 20, child.complaints)
        child.process.kill()
        child.process.wait()
        assert "After:" not in child.complaints()
    rotated = count_under(new)
    assert 20 < rotated < MANY
    assert_all_open()
    assert AccountEvent.objects.filter(kind="keys_rotated").count() == 1

    with Child(environment, tmp_path, "rotate-keys") as child:
        assert child.wait() == 0, child.complaints()
        # The provider, and what the dead one had not come to.
        assert f"{MANY - rotated + 1} rows were re-encrypted." in child.complaints()
    settings.FERNET_KEYS = [NEXT]
    assert count_under(new) == MANY
    assert_all_open()


@pytest.mark.parametrize("path", PATHS)
def test_c5_e41_a_rotation_during_the_call(path, account, server, settings):
    """The refresh that was under way stores the newer tokens over those sealed anew."""
    old = settings.FERNET_KEYS

    def rotate_keys():
        settings.FERNET_KEYS = [NEXT, *old]
        assert rotate.run().resealed == 2
        # The worker that refreshes was started before the new key came first.
        settings.FERNET_KEYS = [*old, NEXT]

    during(server, account, rotate_keys)
    renew(path, account)

    row = again(account)
    assert row.generation == 1
    for name in ("access_token", "refresh_token"):
        assert server.is_live(row.reveal(name).get_value())
    settings.FERNET_KEYS = [NEXT, *old]
    rotate.run()
    settings.FERNET_KEYS = [NEXT]
    assert server.is_live(again(account).get_access_token())
    assert server.replays == 0


def test_c5_workers_with_different_keys(make_account, server, settings):
    """
    A new key that is last for a while is one that everybody reads before anybody writes
    it; a worker that lacks it sees rows that do not open, and harms none of them.
    """
    old = settings.FERNET_KEYS
    before, first, second = old, [*old, NEXT], [NEXT, *old]
    accounts = [make_account(f"user-{n}") for n in range(3)]

    # Some know the new key, some do not yet; all write the old one.
    for keys, account in zip((first, before, first), accounts, strict=True):
        settings.FERNET_KEYS = keys
        again(account).refresh()
    for keys in (before, first):
        settings.FERNET_KEYS = keys
        assert all(again(a).reveal("access_token") for a in accounts)

    # Some have it in front now: what they write, those before them can read.
    settings.FERNET_KEYS = second
    again(accounts[0]).refresh()
    rotate.run()
    settings.FERNET_KEYS = first
    for account in accounts:
        assert server.is_live(again(account).get_access_token())
    again(accounts[1]).refresh()

    # One that was forgotten has the old key only.
    settings.FERNET_KEYS = before
    assert again(accounts[0]).is_undecryptable()
    settings.FERNET_KEYS = second
    assert rotate.run().undecryptable == 0
    settings.FERNET_KEYS = [NEXT]
    for account in accounts:
        assert server.is_live(again(account).get_access_token())
    assert server.replays == 0


def test_e41_what_waits_in_the_outbox_is_sealed_anew_too(account, server, settings):
    """The old key can be dropped before the provider has heard of a revocation."""
    tokens = {
        again(account).reveal(n).get_value() for n in ("access_token", "refresh_token")
    }
    account.revoke()
    settings.FERNET_KEYS = [NEXT, *settings.FERNET_KEYS]
    rotate.run()
    settings.FERNET_KEYS = [NEXT]

    pending = PendingRevocation.objects.get()
    found = {pending.reveal(n).get_value() for n in ("access_token", "refresh_token")}
    assert found == tokens
    # Still bound to the account that it came from.
    pending.account_key = pending.pk
    with pytest.raises(fields.WrongContext):
        pending.reveal("access_token")
