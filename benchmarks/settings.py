"""
Django settings of every process of a run.

BENCH_RUN: name of the database. BENCH_STUB_URL: where the stub server listens.
BENCH_POOL: connections a process shares between its threads; 0 for one each.
BENCH_PEER: which library's apps are installed; "all" where tables are made.
"""

from __future__ import annotations

import os
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from benchmarks import services

PEER = os.environ.get("BENCH_PEER", "ours")
STUB_URL = os.environ.get("BENCH_STUB_URL", "http://127.0.0.1:8765")
# oauthlib refuses plain http for all but those who say that they know it.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"

# Plain http to loopback is allowed in DEBUG only, and DEBUG would record each query.
DEBUG = True
BaseDatabaseWrapper.queries_logged = False

DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": services.run_name(),
        "HOST": services.HOST,
        "PORT": services.PORT,
        "USER": services.USER,
        "PASSWORD": services.PASSWORD,
        "CONN_MAX_AGE": int(os.environ.get("BENCH_CONN_MAX_AGE", "600")),
    }
}
if POOL := int(os.environ.get("BENCH_POOL", "0")):
    DATABASES["default"]["OPTIONS"] = {
        "pool": {"min_size": 1, "max_size": POOL, "timeout": 60}
    }
    DATABASES["default"]["CONN_MAX_AGE"] = 0
SECRET_KEY = "benchmarks-only-signing-key-that-is-not-used-for-tokens-51c0"
FERNET_KEYS = ["benchmarks-only-sealing-key-made-up-for-this-suite-0b8e2d"]
ALLOWED_HOSTS = ["testserver", "localhost"]

PEER_APPS = {
    "ours": ["oauth_accounts"],
    "allauth": ["allauth", "allauth.account", "allauth.socialaccount"],
    "social": ["social_django"],
    "authlib": [],
    "floor": [],
}
PEER_APPS["allauth"].append("benchmarks.peers.allauth_stub")
CHOSEN = list(PEER_APPS) if PEER == "all" else [PEER]
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "benchmarks.peers",
    *(app for peer in CHOSEN for app in PEER_APPS[peer]),
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
if "allauth" in CHOSEN:
    MIDDLEWARE.append("allauth.account.middleware.AccountMiddleware")
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
if "social" in CHOSEN:
    AUTHENTICATION_BACKENDS.append("benchmarks.peers.social_stub.StubOAuth2")
ROOT_URLCONF = "benchmarks.peers.urls"
LOGIN_URL = "/admin/login/"
LOGIN_REDIRECT_URL = "/done/"
STATIC_URL = "/static/"
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LOGGING = {
    "version": 1,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}

OAUTH_ACCOUNTS_BASE_URL = "http://localhost:8000"
OAUTH_ACCOUNTS_PRIVATE_HOSTS = ["127.0.0.1"]
OAUTH_ACCOUNTS_SUCCESS_URL = "/done/"

CLIENT_ID, CLIENT_SECRET = "benchmarks", "made-up-client-secret"
SOCIALACCOUNT_STORE_TOKENS = True
SOCIALACCOUNT_LOGIN_ON_GET = True
SOCIALACCOUNT_PROVIDERS = {
    "stub": {
        "APP": {"client_id": CLIENT_ID, "secret": CLIENT_SECRET},
        "OAUTH_PKCE_ENABLED": True,
    }
}
SOCIAL_AUTH_STUB_KEY, SOCIAL_AUTH_STUB_SECRET = CLIENT_ID, CLIENT_SECRET
SOCIAL_AUTH_LOGIN_REDIRECT_URL = "/done/"
