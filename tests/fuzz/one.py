"""Fuzz one target: `python -m tests.fuzz.one SECONDS TARGET`."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import atheris
import django

INSTRUMENTED = [
    *("oauth_accounts.protocol", "oauth_accounts.callback", "oauth_accounts.identity"),
    *("tests.fuzz", "json", "http.client", "urllib3.response", "email.feedparser"),
]

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
with atheris.instrument_imports(include=INSTRUMENTED):
    django.setup()
    from tests.fuzz.corpus import CORPUS
    from tests.fuzz.targets import TARGETS

MAX_LENGTH = 4096
# Longer than any input may take.
TIMEOUT_SECONDS = 20


def main(seconds: str, name: str) -> None:
    """Fuzz until time is up or something breaks, and end the process."""
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(CORPUS[name]):
            (Path(folder) / str(number)).write_bytes(seed)
        arguments = [
            f"-max_total_time={seconds}",
            f"-max_len={MAX_LENGTH}",
            f"-timeout={TIMEOUT_SECONDS}",
            "-print_final_stats=1",
        ]
        atheris.Setup([name, *arguments, folder], TARGETS[name])
        atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
