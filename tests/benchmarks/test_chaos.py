"""The judges of the chaos run find what they look for, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import requests

from benchmarks.chaos import verdict
from benchmarks.chaos.crowd import Kill, children_of, ports_of
from benchmarks.chaos.server import Families, parse
from benchmarks.chaos.verdict import Pair
from benchmarks.stub import first_refresh_token
from oauth_accounts.fields import Secret

NOW = 1_800_000_000.0


def pair(*, stored=2, answers=2, replays=(), status="active", reason="", gap=3.0):
    """Return an account that holds one token of its family, answered over port 40000."""
    account = SimpleNamespace(
        pk=1,
        status=status,
        status_reason=reason,
        generation=stored,
        reveal=lambda name: Secret(f"r.chaos-1.{stored}.x"),
    )
    moments = [(NOW + gap * number, 40_000) for number in range(answers)]
    return Pair(account=account, answers=moments, replays=list(replays))


def lost(**changes):
    """Return a pair whose last answer was lost in a kill, as it should look then."""
    usual = {
        "stored": 1,
        "replays": [(NOW + 70, 1)],
        "status": "needs_reauth",
        "reason": "rotation_lost",
    }
    return pair(**{**usual, **changes})


def kill(after=0.05, port=40_000):
    """Return a kill so many seconds after the second answer of a pair."""
    return Kill(at=NOW + 3.0 + after, ports=frozenset({port}), whole=False)


class TestKills:
    def test_explained_loss_is_no_violation(self):
        found = verdict.judge_kills([pair(), lost()], [kill()])
        assert found.violations == []
        assert found.counts["families revoked by a replay"] == 1
        assert found.counts["of these, killed between call and commit"] == 1

    @pytest.mark.parametrize(
        ("found", "kills", "violation"),
        [
            (lost(), [], "no kill explains it"),
            (lost(), [kill(port=40_001)], "no kill explains it"),
            (lost(), [kill(after=-9)], "no kill explains it"),
            (lost(), [kill(after=20)], "no kill explains it"),
            (lost(stored=2), [kill()], "though the last answer is stored"),
            (lost(reason="invalid_grant"), [kill()], "not marked rotation_lost"),
            (lost(status="active", reason=""), [kill()], "not marked rotation_lost"),
            (pair(status="needs_reauth"), [], "for another reason"),
            (pair(status="disabled"), [], "for another reason"),
            (pair(stored=1), [], "not the live one"),
        ],
    )
    def test_anything_else_is_found(self, found, kills, violation):
        violations = verdict.judge_kills([pair(), found], kills).violations
        assert any(violation in one for one in violations)


class TestDuplicates:
    def test_one_request_for_each_refresh_is_no_violation(self):
        assert verdict.judge_duplicates([pair()], 5).violations == []

    @pytest.mark.parametrize(
        ("found", "violation"),
        [
            (pair(replays=[(NOW, 1)]), "presented twice"),
            (pair(gap=2.0), "before half of the life"),
            (pair(status="disabled"), "not active"),
            (pair(stored=1), "not the live one"),
        ],
    )
    def test_anything_else_is_found(self, found, violation):
        (only,) = verdict.judge_duplicates([pair(), found], 5).violations
        assert violation in only


class TestServer:
    def test_replay_ends_the_family(self):
        families = Families(life=5)
        families.seed(["chaos-1"])
        first = first_refresh_token("chaos-1")
        answer = families.refresh(first, 40_000)
        assert parse(answer["refresh_token"]) == ("chaos-1", 1)
        assert families.refresh(first, 40_000) is None
        assert families.refresh(answer["refresh_token"], 40_000) is None
        assert families.counts() == {
            "requests": 3,
            "answers": 1,
            "replays": 2,
            "refused": 0,
            "dead": 1,
        }

    @pytest.mark.parametrize("token", ["", "x", "r.chaos-1.1.x", "r.chaos-2.0.x"])
    def test_token_that_it_never_issued_is_refused(self, token):
        families = Families(life=5)
        families.seed(["chaos-1"])
        assert families.refresh(token, 40_000) is None
        assert (families.refused, families.counts()["dead"]) == (1, 0)

    def test_port_of_a_client_is_known_on_both_sides(self):
        command = [sys.executable, "-m", "benchmarks.chaos.server"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                port = int(process.stdout.readline())
                url = f"http://127.0.0.1:{port}"
                with requests.Session() as client:
                    client.post(f"{url}/control/seed", json={"names": ["chaos-1"]})
                    form = {
                        "grant_type": "refresh_token",
                        "refresh_token": first_refresh_token("chaos-1"),
                    }
                    assert client.post(f"{url}/token", data=form).ok
                    known = client.get(f"{url}/control/families").json()
                    ports = ports_of(os.getpid(), port)
                ((at, client_port),) = known["chaos-1"]["answers"]
            finally:
                process.terminate()
        assert client_port in ports
        assert abs(at - time.time()) < 10


class TestProcesses:
    def test_children_are_found_while_they_live(self):
        with subprocess.Popen(["sleep", "60"]) as child:
            assert child.pid in children_of(os.getpid())
            child.kill()
            deadline = time.monotonic() + 5
            while child.pid in children_of(os.getpid()):
                assert time.monotonic() < deadline
