from __future__ import annotations

import copy

import pytest

from oauth_accounts.contrib.sentry import scrub

pytestmark = pytest.mark.faces

OURS = {"oauth_accounts": "[Filtered]", "__Host-oauth_accounts": "[Filtered]"}


@pytest.mark.parametrize(
    "query", ["code=abc&state=def", "state=def", "iss=x&error=denied&state=d", "code=a"]
)
def test_c3_a_callbacks_query_is_emptied(query: str) -> None:
    event = {"request": {"url": "https://a.example/x/", "query_string": query}}
    assert scrub(event, {}) is event
    assert event["request"]["query_string"] == "[Filtered]"
    assert event["request"]["url"] == "https://a.example/x/"


def test_c3_its_cookies_are_filtered_and_others_are_not() -> None:
    cookies = {**dict.fromkeys(OURS, "value"), "theme": "dark"}
    event = {"request": {"cookies": cookies}}
    assert scrub(event)["request"]["cookies"] == {**OURS, "theme": "dark"}


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"request": None},
        {"request": {}},
        {"request": {"query_string": "page=2", "cookies": "a=b"}},
        {"request": {"query_string": ""}, "level": "error"},
    ],
)
def test_other_events_are_left_alone(event: dict[str, object]) -> None:
    assert scrub(copy.deepcopy(event)) == event
