"""seed-demo: every state is there, and once only however often it is called."""

from __future__ import annotations

import sqlite3

import pytest

from example_project.site import logins
from oauth_accounts import reasons
from oauth_accounts.models import PendingRevocation
from tests.example.test_site import Site

SEED = ("oauth_accounts", "seed-demo")


@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("seeded"))
    for words in (("prepare",), SEED):
        ran = site.run(*words)
        assert ran.returncode == 0, ran.stderr
    assert logins.MEMBER in ran.stdout
    return site


def rows(site, query):
    connection = sqlite3.connect(site.folder / "site.sqlite3")
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def counts(site):
    tables = (
        "provider connectedaccount accountevent pendingrevocation refreshstatistic "
        "authorizationattempt"
    ).split()
    return {
        table: rows(site, f"SELECT count(*) FROM oauth_accounts_{table}")  # noqa: S608
        for table in tables
    }


def test_every_reason_of_every_status_is_there(seeded):
    found = rows(
        seeded, "SELECT DISTINCT status_reason FROM oauth_accounts_connectedaccount"
    )
    assert {reason for (reason,) in found} == {"", *reasons.ACCOUNT}


def test_revocations_of_every_outcome_are_there(seeded):
    found = rows(seeded, "SELECT DISTINCT status FROM oauth_accounts_pendingrevocation")
    assert {status for (status,) in found} == set(PendingRevocation.Status.values)


def test_providers_of_every_kind_are_there(seeded):
    status = seeded.run("oauth_accounts", "status").stdout
    for words in (
        "octoforge: enabled",
        "ledgerline: paused (invalid_client)",
        "old-crm: disabled",
        "new-wiki: incomplete, lacks client_secret",
        "tidal-calendar: tried again after a pause",
        "1 accounts are due, 1 of them for more than 5 minutes",
        "1 accounts are under keys that FERNET_KEYS does not have",
    ):
        assert words in status
    # What is in doubt is said by the check, aloud.
    checked = seeded.run("check", "--database=default")
    assert "W008" in checked.stderr


def test_seeding_again_makes_nothing_twice(seeded):
    before = counts(seeded)
    again = seeded.run(*SEED)
    assert again.returncode == 0, again.stderr
    assert counts(seeded) == before


def test_dry_run_says_what_it_would_do_and_keeps_nothing(tmp_path):
    site = Site(tmp_path)
    site.run("prepare")
    before = counts(site)
    ran = site.run(*SEED, "--dry-run")
    assert ran.stdout.startswith("Would write 8 made-up providers")
    assert counts(site) == before
