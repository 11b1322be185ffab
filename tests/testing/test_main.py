"""The fake provider in a process of its own."""

from __future__ import annotations

import json
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from oauth_accounts.testing.server import FakeProvider, main

ROOT = Path(__file__).resolve().parent.parent.parent


class TestMain:
    def test_process_serves_until_it_is_told_to_stop(self):
        command = [sys.executable, "-m", "oauth_accounts.testing.server", "--port", "0"]
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as process:
            address = process.stdout.readline().strip()
            fields = json.loads(process.stdout.readline())
            response = requests.get(f"{address}/api/x", timeout=10)
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        assert fields["issuer"] == address
        assert response.status_code == 401

    @pytest.mark.parametrize(
        ("arguments", "lifetime", "rotates"),
        [
            ([], 3600, True),
            (["--expires-in", "20", "--no-rotate"], 20, False),
            (["--expires-in", "2.5"], 2.5, True),
        ],
    )
    def test_options_are_obeyed(
        self, monkeypatch, capsys, arguments, lifetime, rotates
    ):
        seen = []
        monkeypatch.setattr(FakeProvider, "stop", _noting(FakeProvider.stop, seen))
        monkeypatch.setattr(signal, "sigwait", seen.append)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        main(arguments)
        ends, provider = seen
        assert ends == {signal.SIGINT, signal.SIGTERM}
        assert (provider.expires_in, provider.rotate) == (lifetime, rotates)
        assert isinstance(provider.expires_in, type(lifetime))
        assert capsys.readouterr().out.startswith("http://127.0.0.1:")
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before

    def test_client_may_stay_the_same_across_starts(self, monkeypatch, capsys):
        monkeypatch.setattr(signal, "sigwait", lambda ends: signal.SIGTERM)
        main(["--client-id", "an-id", "--client-secret", "a made-up secret"])
        fields = json.loads(capsys.readouterr().out.splitlines()[1])
        assert fields["client_id"] == "an-id"
        assert fields["client_secret"] == "a made-up secret"

    def test_client_is_new_each_time_otherwise(self, monkeypatch, capsys):
        monkeypatch.setattr(signal, "sigwait", lambda ends: signal.SIGTERM)
        main([])
        main([])
        one, other = map(json.loads, capsys.readouterr().out.splitlines()[1::2])
        assert one["client_id"] != other["client_id"]
        assert one["client_secret"] != other["client_secret"]

    def test_module_runs_as_a_script(self, monkeypatch, capsys):
        name = "oauth_accounts.testing.server"
        monkeypatch.setattr(sys, "argv", [name])
        monkeypatch.setattr(signal, "sigwait", lambda ends: signal.SIGTERM)
        # runpy warns about a module that is imported already.
        monkeypatch.delitem(sys.modules, name)
        runpy.run_module(name, run_name="__main__")
        assert json.loads(capsys.readouterr().out.splitlines()[1])["client_id"]


def _noting(method, seen):
    def wrapper(self):
        seen.append(self)
        method(self)

    return wrapper
