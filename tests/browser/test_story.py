"""The life of a connection, lived in a browser on what `make serve` leaves running."""

from __future__ import annotations

import re
import time

import pytest

from example_project.processes import free_ports, stop
from tests.browser import sites

pytestmark = [pytest.mark.faces, pytest.mark.browser]

SECONDS = 60
CONNECTED = "/accounts/connected/"


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """`python -m example_project.serve`: both sites, a worker, beat, demo data."""
    folder = tmp_path_factory.mktemp("serve")
    site_port, provider_port = free_ports(2)
    running = sites.Sites(
        folder=folder, site_port=site_port, provider_port=provider_port
    )
    serve = running.process("serve", "serve")
    serve.start()
    try:
        deadline = time.monotonic() + sites.PATIENCE
        while "Ctrl-C" not in serve.log.read_text():
            serve.check_alive()
            assert time.monotonic() < deadline, serve.tail()
            time.sleep(0.3)
        yield running
    finally:
        stop([serve])


@pytest.fixture
def user(browser, example):
    """A tab of a new user who is logged in."""
    context = browser.new_context(base_url=example.base, reduced_motion="reduce")
    page = context.new_page()
    sites.log_in(page, example, sites.NEWCOMER)
    yield page
    context.close()


def card_of(page, name):
    """The card of an account that lives; name: its label."""
    return page.get_by_role("article").filter(has_text=name).first


def reload_until(page, visible):
    """Load the page again until something is on it."""
    deadline = time.monotonic() + SECONDS
    while not visible.is_visible():
        assert time.monotonic() < deadline, page.get_by_role("main").inner_text()
        time.sleep(0.5)
        page.reload()


def await_mail(example, *words):
    """Wait for a mail to the user in which all of these stand."""
    deadline = time.monotonic() + 2 * SECONDS
    while True:
        mails = [path.read_text() for path in (example.folder / "mail").glob("*")]
        if any(all(word in mail for word in words) for mail in mails):
            return
        assert time.monotonic() < deadline, "\n".join(mails) or "no mail at all"
        time.sleep(0.5)


def consent(page, answer="Allow"):
    """Log in at the provider where it asks for that, and answer its question."""
    if page.get_by_label("Password").is_visible():
        sites.log_in_at_provider(page)
    page.get_by_role("button", name=answer).click()


def revoke_in_admin(browser, example, label):
    """Revoke an account by the list's action, and return what the admin says then."""
    context = browser.new_context(base_url=example.base)
    page = context.new_page()
    sites.log_in(page, example, sites.ADMIN)
    page.get_by_role("link", name="Admin", exact=True).click()
    page.locator('#content a[href$="/connectedaccount/"]').first.click()
    page.locator("#searchbar").fill(label)
    page.locator("#searchbar").press("Enter")
    page.locator("tr", has_text="Engine Notes").get_by_role("checkbox").check()
    page.locator('select[name="action"]').select_option("revoke_selected")
    page.locator('button[name="index"]').click()
    assert "Engine Notes" in page.locator("#content").inner_text()
    page.locator("#content form [type=submit]").click()
    said = page.locator("#container").inner_text()
    context.close()
    return said


def test_connection_is_made_withdrawn_made_again_and_revoked(user, browser, example):
    user.goto(CONNECTED)
    user.get_by_role("button", name="Connect Engine Notes").click()
    assert user.url.startswith(example.provider)
    consent(user)
    card = card_of(user, "Engine Notes")
    assert "Connected" in card.inner_text()
    assert card.get_by_role("button", name="Reconnect").count() == 0

    user.goto(f"{example.provider}/")
    user.get_by_role("button", name="Withdraw access of Example site").click()
    user.goto(CONNECTED)
    again = card_of(user, "Engine Notes").get_by_role("button", name="Reconnect")
    reload_until(user, again)
    assert "no longer accepts" in card_of(user, "Engine Notes").inner_text()
    await_mail(example, "grace@site.example", "Engine Notes", "no longer accepts")

    again.click()
    consent(user)
    assert again.count() == 0
    user.goto("/notes/")
    assert "Note G" in user.locator("#answer").inner_text()

    assert "It was stopped here." in revoke_in_admin(browser, example, "ada")
    user.goto(CONNECTED)
    ended = user.locator("details", has_text="disconnected account").filter(
        has_text="Engine Notes"
    )
    reload_until(user, ended)
    ended.get_by_text("disconnected account").click()
    assert "An administrator" in card_of(user, "Engine Notes").inner_text()


def test_refused_consent_says_what_to_do_next(user, example):
    user.goto(CONNECTED)
    user.get_by_role("button", name="Connect Octoforge").click()
    consent(user, "Refuse")
    assert user.url.startswith(example.base)
    assert "nothing was connected" in user.get_by_role("main").inner_text()
    user.get_by_role("link", name=re.compile("again|Octoforge")).click()
    user.get_by_role("button", name="Connect Octoforge").first.click()
    consent(user)
    assert "Connected" in card_of(user, "Octoforge").inner_text()


def test_disconnecting_is_confirmed_first(user):
    user.goto(CONNECTED)
    user.get_by_role("button", name="Connect Harbor Drive").click()
    consent(user)
    card = card_of(user, "Harbor Drive")
    button = card.get_by_role("button", name=re.compile("Disconnect"))
    assert not button.is_visible()
    card.get_by_text("Disconnect…").click()
    button.click()
    user.get_by_text(re.compile(r"\d disconnected account")).click()
    gone = user.locator("details", has_text="disconnected account")
    assert "Harbor Drive" in gone.inner_text()
