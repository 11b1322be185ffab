"""The quickstart, typed: a new project, a browser, an account, a token."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests
from bs4 import BeautifulSoup

from oauth_accounts.beat import BEAT_SCHEDULE
from tests import markdown
from tests.conftest import ROOT

pytestmark = pytest.mark.faces

SITE = "http://127.0.0.1:8000"
PASSWORD = "made-up-for-this-test"
# What the reader prepares and a test environment has: no package is installed here.
PREPARED = ("python3 -m venv ", ". ../", "python -m pip ", "cd ../")
WAIT_SECONDS = 60.0


class Reader:
    """
    Somebody who types what the README says.

    folder: of the project. port: in place of 8000, which may be taken.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.site = f"http://127.0.0.1:{port}"
        self.blocks = [
            block.text.replace("127.0.0.1:8000", f"127.0.0.1:{port}")
            for block in markdown.quickstart(ROOT / "README.md")
        ]
        self.leads = [block.lead for block in markdown.quickstart(ROOT / "README.md")]
        self.environment = {
            **{k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"},
            "PYTHONUNBUFFERED": "1",
            # In the same order, so that a tested wheel is not shadowed by the checkout.
            "PYTHONPATH": os.pathsep.join([str(folder), *filter(None, sys.path)]),
            "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
        }
        self.running: list[subprocess.Popen[bytes]] = []

    def block(self, words: str) -> str:
        """Return the one block that holds these words."""
        (found,) = (text for text in self.blocks if words in text)
        return found

    def write(self, words: str) -> None:
        """Put a block into the file that the sentence above it names."""
        text = self.block(words)
        lead = self.leads[self.blocks.index(text)]
        (name,) = re.findall(r"`(mysite/\w+\.py)`", lead)
        with (self.folder / name).open("a" if "Add to" in lead else "w") as file:
            file.write(text)

    def type(self, words: str) -> str:
        """Run the lines of a console block and return what they print."""
        lines = [
            line
            for line in self.block(words).splitlines()
            if not line.startswith(PREPARED)
        ]
        return "".join(self.run(line) for line in lines)

    def run(self, line: str) -> str:
        """Run one line as a shell would: redirected, or in the background."""
        line, _, target = line.removesuffix("&").partition(" > ")
        command = shlex.split(line)
        interpreter = {"python": [], "django-admin": ["-m", "django"]}[command[0]]
        command = [sys.executable, *interpreter, *command[1:]]
        if "createsuperuser" in command:
            command.append("--noinput")  # the password is in the environment
        if "runserver" in command:
            command.append("--noreload")
        if "runserver" in command or "oauth_accounts.testing.server" in command:
            self._start(command, target.strip() or "server.log")
            return ""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        if target:
            (self.folder / target.strip()).write_text(done.stdout)
        return done.stdout

    def _start(self, command: list[str], output: str) -> None:
        with (self.folder / output).open("wb") as file:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environment,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        self.running.append(process)

    def copy(self, folder: Path) -> Reader:
        """Return a reader whose project is a copy of this one."""
        shutil.copytree(self.folder, folder)
        return Reader(folder, int(self.site.rpartition(":")[2]))

    def stop(self) -> None:
        for process in self.running:
            process.terminate()
        for process in self.running:
            process.wait(WAIT_SECONDS)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(folder: Path, name: str, text: str) -> None:
    """Wait until a file of a running process holds a text."""
    deadline = time.monotonic() + WAIT_SECONDS
    while text not in (said := (folder / name).read_text()):
        assert time.monotonic() < deadline, said
        time.sleep(0.05)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Somebody who is through with the quickstart's five steps."""
    reader = Reader(tmp_path_factory.mktemp("quickstart"), free_port())
    # Any free port: the provider says in its file where it is.
    reader.blocks = [text.replace("--port 9000", "--port 0") for text in reader.blocks]
    try:
        reader.type("startproject")
        reader.type("oauth_accounts.testing.server")
        until(reader.folder, "provider.txt", "client_secret")
        for words in ("INSTALLED_APPS +=", "def profile(", "urlpatterns"):
            reader.write(words)
        reader.type("manage.py runserver")
        until(reader.folder, "server.log", "Quit the server")
        yield reader
    finally:
        reader.stop()


@pytest.fixture(scope="module")
def answer(reader: Reader) -> requests.Response:
    """What the browser shows at the end of: log in, press Connect, come back."""
    with requests.Session() as browser:
        browser.trust_env = False
        login = browser.get(f"{reader.site}/profile/")
        fields = {"username": "ada", "password": PASSWORD}
        page = submit(browser, login, "login-form", fields)
        assert "Connect Fake provider to continue" in page.text
        return submit(browser, page, "Connect Fake provider", {})


def submit(
    browser: requests.Session,
    page: requests.Response,
    words: str,
    fields: dict[str, str],
) -> requests.Response:
    """Send the first form of a page in which some words stand."""
    forms = BeautifulSoup(page.text, "html.parser").find_all("form")
    form = next(form for form in forms if words in str(form))
    hidden = {
        str(field["name"]): str(field["value"])
        for field in form.find_all("input", attrs={"value": True})
        if field.get("name")
    }
    target = urljoin(page.url, str(form.get("action") or ""))
    headers = {"Referer": page.url}
    return browser.post(target, data=hidden | fields, headers=headers)


def test_the_view_shows_what_the_api_answers(
    reader: Reader, answer: requests.Response
) -> None:
    assert answer.status_code == 200
    assert answer.url == f"{reader.site}/profile/"
    shown = answer.json()
    assert shown["account"] == "alice@provider.example"
    assert shown["answer"]["path"] == "/api/profile"


@pytest.mark.usefixtures("answer")
def test_the_token_comes_out_and_is_not_in_the_database(reader: Reader) -> None:
    code = reader.block("account.get_access_token()")
    code += "\nprint('token', account.get_access_token())"
    printed = reader.run(f"python manage.py shell -c {shlex.quote(code)}")
    (token,) = re.findall(r"^token (.+)$", printed, re.MULTILINE)
    provider = (reader.folder / "provider.txt").read_text().splitlines()[0]
    bearer = {"Authorization": f"Bearer {token}"}
    profile = requests.get(f"{provider}/userinfo", headers=bearer)
    assert profile.json()["sub"] == "alice"
    assert token.encode() not in (reader.folder / "db.sqlite3").read_bytes()


@pytest.mark.usefixtures("answer")
def test_cron_runs_a_command_that_exists(reader: Reader) -> None:
    command = reader.block("* * * * *").partition("&& .venv/bin/")[2]
    assert "0 failed" in reader.run(command)


@pytest.mark.usefixtures("answer")
def test_a_real_provider_takes_the_place_of_the_fake_one(
    reader: Reader, tmp_path: Path
) -> None:
    other = reader.copy(tmp_path / "github")
    other.environment |= {"GITHUB_CLIENT_ID": "an-id", "GITHUB_CLIENT_SECRET": "secret"}
    with (other.folder / "mysite" / "settings.py").open("a") as settings:
        settings.write(other.block("GITHUB_CLIENT_ID"))
    printed = other.run("python manage.py oauth_accounts sync-providers")
    assert re.search(r"^github created", printed, re.MULTILINE)
    assert re.search(r"^example disabled", printed, re.MULTILINE)
    code = (
        "from oauth_accounts import connect, models;"
        "print(connect.redirect_uri(None, models.Provider.objects.get(slug='github')))"
    )
    uri = other.run(f"python manage.py shell -c {shlex.quote(code)}").split()[-1]
    expected = uri.replace(reader.site, SITE)
    assert f"`{expected}`" in (ROOT / "README.md").read_text()


def test_celery_finds_the_tasks_and_beat_its_schedule(
    reader: Reader, tmp_path: Path
) -> None:
    other = reader.copy(tmp_path / "celery")
    for words in ("Celery(", "celery_app"):
        other.write(words)
    with (other.folder / "mysite" / "settings.py").open("a") as settings:
        settings.write(other.block("BEAT_SCHEDULE"))
    code = (
        "from mysite import celery_app as app; app.loader.import_default_modules();"
        "print([e['task'] in app.tasks for e in app.conf.beat_schedule.values()])"
    )
    found = [True] * len(BEAT_SCHEDULE)
    assert other.run(f"python -c {shlex.quote(code)}") == f"{found}\n"
