"""The client site of the example: its keys, its commands, its pages."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from example_project.demo.browser import Browser, PageFailed
from example_project.processes import Process, free_ports, stop
from example_project.site import keys, logins
from example_project.stack import ROOT, answers

pytestmark = pytest.mark.faces


class TestKeys:
    def test_keys_are_made_once_and_for_this_user_only(self, tmp_path):
        path = tmp_path / "state" / "keys.json"
        made = keys.load(path)
        assert keys.load(path) == made
        assert path.stat().st_mode & 0o077 == 0
        # The database and the logs are beside it.
        assert path.parent.stat().st_mode & 0o077 == 0
        assert [item.name for item in path.parent.iterdir()] == ["keys.json"]

    def test_every_folder_gets_keys_of_its_own(self, tmp_path):
        one, other = (keys.load(tmp_path / name / "keys.json") for name in "ab")
        secrets = {one.secret_key, one.fernet_key, one.client_secret}
        assert len(secrets) == 3
        assert secrets.isdisjoint({other.secret_key, other.fernet_key})
        assert not any(secret in repr(one) for secret in secrets)

    def test_processes_that_start_together_agree(self, tmp_path):
        with ThreadPoolExecutor(8) as pool:
            paths = [tmp_path / "keys.json"] * 16
            assert len(set(pool.map(keys.load, paths))) == 1


class Site:
    """The client site as a process of its own; nobody is at its provider's address."""

    def __init__(self, folder):
        self.folder = folder
        port, provider_port = free_ports(2)
        self.base = f"http://127.0.0.1:{port}"
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if name not in {"DATABASE_URL", "CELERY_BROKER_URL"}
        } | {
            "EXAMPLE_STATE_DIR": str(folder),
            "EXAMPLE_SITE_PORT": str(port),
            "EXAMPLE_PROVIDER_PORT": str(provider_port),
        }

    def run(self, *words):
        return subprocess.run(
            [sys.executable, "-m", "example_project.site", *words],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    @contextlib.contextmanager
    def serving(self):
        process = Process(
            name="site",
            command=[sys.executable, "-m", "example_project.site", "serve"],
            environment=self.environment,
            folder=ROOT,
            log=self.folder / "site.log",
        )
        process.start()
        try:
            while not answers(self.base):
                process.check_alive()
            yield self
        finally:
            stop([process])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("client-site"))
    prepared = site.run("prepare")
    assert prepared.returncode == 0, prepared.stderr
    with site.serving():
        yield site


@pytest.fixture
def browser():
    browser = Browser()
    yield browser
    browser.http.close()


@pytest.fixture
def user(site, browser):
    browser.log_in(f"{site.base}/accounts/login/", logins.USER, logins.PASSWORD)
    return browser


def test_prepare_may_be_repeated(site):
    again = site.run("prepare")
    assert again.returncode == 0, again.stderr
    assert again.stdout == "Log in as 'grace' or 'admin'.\n"


def test_checks_have_nothing_to_say(site):
    checked = site.run("check", "--fail-level=WARNING", "--database=default")
    assert checked.returncode == 0, checked.stderr


def test_provider_comes_from_the_settings(site):
    synced = site.run("oauth_accounts", "sync-providers", "--dry-run")
    assert synced.returncode == 0, synced.stderr
    assert "engine-notes" in synced.stdout
    assert "unchanged" in synced.stdout


def test_home_needs_no_log_in_and_tells_the_log_ins(site, browser):
    page = browser.open(f"{site.base}/")
    assert page.soup.html["lang"] == "en"
    assert logins.USER in page.text
    assert logins.PASSWORD in page.text


def test_pages_about_accounts_want_a_log_in(site, browser):
    for path in ("/notes/", "/accounts/connected/"):
        page = browser.open(f"{site.base}{path}", status=302)
        assert page.location == f"{site.base}/accounts/login/?next={path}"


def test_wrong_password_is_said_aloud(site, browser):
    url = f"{site.base}/accounts/login/"
    page = browser.log_in(url, logins.USER, "microsecond-of-wire")
    assert page.soup.find(role="alert")


def test_fields_of_the_login_page_have_labels(site, browser):
    page = browser.open(f"{site.base}/accounts/login/")
    labelled = {label["for"] for label in page.soup.main.find_all("label")}
    visible = page.soup.main.find_all("input", type=["text", "password"])
    assert {field["id"] for field in visible} == labelled != set()


def test_connected_accounts_are_a_page_of_the_site(site, user):
    page = user.open(f"{site.base}/accounts/connected/")
    assert page.soup.find("nav", attrs={"aria-label": "Main"})
    assert page.soup.find("a", attrs={"aria-current": "page"}).text == page.soup.h1.text
    assert "Connect Engine Notes" in page.text


def test_notes_say_that_nothing_is_connected(site, user):
    assert "No account is connected yet." in user.open(f"{site.base}/notes/").text


def test_cookies_have_names_of_their_own(site, user):
    assert set(user.http.cookies.keys()) == {"example_csrftoken", "example_sessionid"}


def test_only_one_host_name_is_served(site, browser):
    url = site.base.replace("127.0.0.1", "localhost")
    with pytest.raises(PageFailed, match="400"):
        browser.open(url)
