from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from tests.example.provider_browser import CLIENT_ID, CLIENT_SECRET, REDIRECT_URI

ROOT = Path(__file__).resolve().parent.parent.parent


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class ProviderSite:
    """The authorization server of the example, as a process of its own."""

    def __init__(self, state_dir):
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.state_dir = state_dir
        self.environment = os.environ | {
            "EXAMPLE_STATE_DIR": str(state_dir),
            "EXAMPLE_PROVIDER_PORT": str(self.port),
            "EXAMPLE_CLIENT_SECRET": CLIENT_SECRET,
            "EXAMPLE_TOKEN_LIFETIME": "20",
        }

    def command(self, *words):
        return [sys.executable, "-m", "example_project.provider_site", *words]

    def run(self, *words, **environment):
        return subprocess.run(
            self.command(*words),
            env=self.environment | environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def prepare(self, redirect_uri=REDIRECT_URI, **environment):
        arguments = ("--client-id", CLIENT_ID, "--redirect-uri", redirect_uri)
        return self.run("prepare", *arguments, **environment)

    @contextlib.contextmanager
    def serving(self):
        log = self.state_dir / "provider.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                self.command("serve"),
                env=self.environment,
                cwd=ROOT,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            self.wait(process, log)
            yield self
        finally:
            process.terminate()
            process.wait(10)

    def wait(self, process, log):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(requests.ConnectionError):
                if requests.get(self.base, timeout=5).ok:
                    return
            time.sleep(0.1)
        pytest.fail(f"the provider site did not come up:\n{log.read_text()}")


@pytest.fixture(scope="session")
def provider_site(tmp_path_factory):
    site = ProviderSite(tmp_path_factory.mktemp("provider-site"))
    prepared = site.prepare()
    assert prepared.returncode == 0, prepared.stderr
    with site.serving():
        yield site
