"""
Settings of the test suite.

TEST_DATABASE: sqlite (default), postgres or mariadb; one suite runs on each.
TEST_POSTGRES_*, TEST_MARIADB_*: HOST, PORT, USER, PASSWORD of a server.
TEST_DATABASE_NAME: name of a test database that exists already (child processes).
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import django

# Children inherit the number, so that all processes of one run mean the same files and
# databases, and two runs at once do not meet.
RUN = os.environ.setdefault("OAUTH_ACCOUNTS_TEST_RUN", str(os.getpid()))
TEST_DATABASE = os.environ.get("TEST_DATABASE", "sqlite")


def _server(
    prefix: str, engine: str, port: str, user: str, password: str
) -> dict[str, Any]:
    name = f"oauth_accounts_{RUN}"
    return {
        "ENGINE": engine,
        "NAME": name,
        "HOST": os.environ.get(f"{prefix}_HOST", "127.0.0.1"),
        "PORT": os.environ.get(f"{prefix}_PORT", port),
        "USER": os.environ.get(f"{prefix}_USER", user),
        "PASSWORD": os.environ.get(f"{prefix}_PASSWORD", password),
        "TEST": {"NAME": f"test_{name}"},
    }


def _sqlite() -> dict[str, Any]:
    # A file, not memory: threads and processes open connections of their own.
    path = Path(tempfile.gettempdir()) / f"oauth_accounts_{RUN}.sqlite3"
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
        "TEST": {"NAME": str(path.with_name(f"test_{path.name}"))},
    }


def _postgres() -> dict[str, Any]:
    return _server(
        "TEST_POSTGRES", "django.db.backends.postgresql", "5432", "postgres", "postgres"
    )


def _mariadb() -> dict[str, Any]:
    server = _server("TEST_MARIADB", "django.db.backends.mysql", "3306", "root", "")
    charset = {"CHARSET": "utf8mb4", "COLLATION": "utf8mb4_general_ci"}
    return {
        **server,
        "OPTIONS": {"charset": "utf8mb4"},
        "TEST": {**server["TEST"], **charset},
    }


_DATABASES = {"sqlite": _sqlite, "postgres": _postgres, "mariadb": _mariadb}
DATABASES = {"default": _DATABASES[TEST_DATABASE]()}
if name := os.environ.get("TEST_DATABASE_NAME"):
    DATABASES["default"]["NAME"] = name

DEBUG = True
SECRET_KEY = "tests-only-signing-key-that-is-not-used-for-tokens-7c1d5e"
FERNET_KEYS = ["tests-only-sealing-key-made-up-for-this-suite-52f0c3a9e8"]
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "oauth_accounts",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

ROOT_URLCONF = "tests.urls"
LOGIN_URL = "/admin/login/"
STATIC_URL = "/static/"
USE_TZ = True
TIME_ZONE = "Europe/Berlin"  # not UTC, so that a mixed-up zone shows
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.MD5PasswordHasher"
]  # quick; tests only

# Whom tests send error mails to; not ADMINS, because most tests send none.
MAILED = (
    ["ops@example.com"] if django.VERSION >= (6, 0) else [("Ops", "ops@example.com")]
)
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}

OAUTH_ACCOUNTS_BASE_URL = "http://localhost:8000"
OAUTH_ACCOUNTS_PRIVATE_HOSTS = ["127.0.0.1", "localhost"]
