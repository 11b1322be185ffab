"""How many queries lie between a click and an account; a new one has to be argued for."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oauth_accounts import connect
from oauth_accounts.models import AuthorizationAttempt, ConnectedAccount
from tests.views.browser import reconnect_url

# What Django itself asks: the session and its user, for each of the two requests.
OF_DJANGO = 4
BEGIN_AND_COMMIT = 2


@pytest.fixture
def count(browser, provider, server):
    """Go from the click to the account and return the number of queries."""

    def go(subject="alice", press=browser.start):
        server.subject = subject
        with CaptureQueriesContext(connection) as there:
            address = press()
        path = browser.consent(address)
        with CaptureQueriesContext(connection) as back:
            assert browser.get(path).status_code == 302
        return len(there) + len(back)

    return go


@pytest.mark.postgres
def test_the_budget(count):
    assert count("alice") <= 12


def test_a_first_account(count):
    # Provider, attempt; its burn and itself with the provider; account and event.
    assert count() == OF_DJANGO + 2 + 2 + BEGIN_AND_COMMIT + 2


def test_a_browser_that_is_known_costs_nothing_more(count):
    first = count()
    ConnectedAccount.objects.all().delete()
    assert count() == first
    assert AuthorizationAttempt.objects.count() == 2


def test_one_more_account_is_looked_for_first(count):
    first = count()
    assert count("bob") == first + 1
    assert ConnectedAccount.objects.count() == 2


def test_the_same_account_again(count):
    first = count()
    # Found, locked, read, and what waits in the outbox for it.
    assert count() == first + 4
    assert ConnectedAccount.objects.count() == 1


def test_a_reconnect(count, browser, account):
    def press():
        return str(browser.post(reconnect_url(account))["Location"])

    # Account with provider for the provider; attempts looked at; not searched for.
    count(press=press)
    assert count(press=press) == OF_DJANGO + 3 + 2 + BEGIN_AND_COMMIT + 5


def test_the_number_of_open_attempts_does_not_matter_until_it_is_too_high(
    browser, provider
):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            browser.start()
        return len(captured)

    browser.start()
    numbers = [queries() for _ in range(connect.MAX_OPEN_ATTEMPTS + 2)]
    few, many = set(numbers[:-3]), set(numbers[-3:])
    assert few == {OF_DJANGO // 2 + 2}
    # The surplus is looked for and deleted.
    assert many == {OF_DJANGO // 2 + 2 + 1 + BEGIN_AND_COMMIT + 1}
    assert AuthorizationAttempt.objects.count() == connect.MAX_OPEN_ATTEMPTS
