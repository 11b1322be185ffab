"""Callbacks at the same moment, on real threads and connections."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from django.db import connections
from django.test import Client

from oauth_accounts.models import (
    AccountEvent,
    ConnectedAccount,
    PendingRevocation,
    Provider,
)
from tests.security.stage import Stage, check_burned
from tests.views.browser import Browser

PARALLEL = 20
# Seconds that threads wait for each other before they give up.
PATIENCE = 30


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Do all at the same moment and return what came of it; exceptions are raised."""
    barrier = threading.Barrier(len(works))
    results: list[Any] = []

    def run(work: Callable[[], Any]) -> None:
        try:
            barrier.wait(PATIENCE)
            results.append(work())
        except Exception as error:  # noqa: BLE001  # raised below
            results.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        if isinstance(result, Exception):
            raise result
    return results


def twin(browser: Browser) -> Client:
    """Return a client with the same cookies, for another thread."""
    client = Client(enforce_csrf_checks=True)
    client.cookies = browser.client.cookies.copy()
    return client


def meet_at_token_endpoint(stage: Stage, number: int) -> None:
    """Let no exchange be answered before so many of them have begun."""
    barrier = threading.Barrier(number)
    stage.as1.on_token_request = lambda request: barrier.wait(PATIENCE)


def status(client: Client, path: str) -> int:
    return client.get(path).status_code


def statuses(paths: Sequence[tuple[Browser, str]]) -> Counter[int]:
    works = [partial(status, twin(browser), path) for browser, path in paths]
    return Counter(at_once(*works))


def test_a2_4_a8_8_one_of_twenty_callbacks_wins(stage: Stage) -> None:
    path = stage.way_back(stage.a)
    assert statuses([(stage.a, path)] * PARALLEL) == {302: 1, 400: PARALLEL - 1}
    assert len(stage.as1.token_requests) == 1
    assert ConnectedAccount.objects.count() == 1
    rejected = AccountEvent.objects.filter(kind="rejected")
    assert rejected.filter(reason="state_unknown_or_used").count() == PARALLEL - 1
    check_burned(path)


def test_a2_16_a8_8_an_exclusive_account_is_wanted_twice(stage: Stage) -> None:
    Provider.objects.update(exclusive_subjects=True)
    meet_at_token_endpoint(stage, 2)
    paths = [(one, stage.way_back(one)) for one in (stage.a, stage.b)]
    assert statuses(paths) == {302: 1, 409: 1}
    account = ConnectedAccount.objects.get()
    late = PendingRevocation.objects.get()
    assert late.reason == "account_in_use"
    assert late.reveal("refresh_token") != account.reveal("refresh_token")
    event = AccountEvent.objects.get(kind="rejected")
    assert (event.reason, event.actor != account.owner) == ("account_in_use", True)


def test_a2_16_one_user_connects_the_same_account_twice(stage: Stage) -> None:
    meet_at_token_endpoint(stage, 2)
    paths = [(stage.a, stage.way_back(stage.a)) for _again in range(2)]
    assert statuses(paths) == {302: 2}
    account = ConnectedAccount.objects.get()
    assert stage.as1.is_live(account.get_access_token())
