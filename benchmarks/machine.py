"""On what the figures were measured."""

from __future__ import annotations

import os
import platform
import re
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

PACKAGES = (
    "Django",
    "django-oauth-accounts",
    "psycopg",
    "requests-oauthlib",
    "celery",
    "django-allauth",
    "social-auth-app-django",
    "Authlib",
)


def describe(servers: dict[str, str]) -> dict[str, str]:
    """Return what the machine is and which versions took part. servers: name to version."""
    return {
        "CPU": _first(r"model name\s*: (.*)", "/proc/cpuinfo") or platform.processor(),
        "cores": str(os.cpu_count()),
        "memory": _memory(),
        "kernel": platform.release(),
        "Python": platform.python_version(),
        **servers,
        **{name: version(name) for name in PACKAGES},
    }


def _memory() -> str:
    kilobytes = _first(r"MemTotal:\s*(\d+)", "/proc/meminfo")
    return f"{int(kilobytes) / 1024 / 1024:.0f} GB" if kilobytes else "unknown"


def _first(pattern: str, path: str) -> str:
    with suppress(OSError):
        if found := re.search(pattern, Path(path).read_text()):
            return found[1].strip()
    return ""
