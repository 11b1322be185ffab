"""Settings of the authorization server; what may vary comes from the environment."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

BASE_DIR = Path(__file__).resolve().parent
STATE_DIR = Path(os.environ.get("EXAMPLE_STATE_DIR", ".demo")).resolve()
PORT = int(os.environ.get("EXAMPLE_PROVIDER_PORT", "8001"))


def _kept(path: Path, make: Callable[[], str]) -> str:
    """Return what is in a file that only this user can read, made at the first call."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text()
    with os.fdopen(descriptor, "w") as file:
        file.write(make())
    return path.read_text()


def _new_key() -> str:
    return secrets.token_urlsafe(48)


def _new_signing_key() -> str:
    key = generate_private_key(public_exponent=65537, key_size=2048)
    form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return key.private_bytes(*form).decode()


SECRET_KEY = _kept(STATE_DIR / "provider.key", _new_key)
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "example_project.provider_site.urls"
WSGI_APPLICATION = None

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "oauth2_provider",
    "example_project.provider_site",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # Before the apps' own, for the pages of django-oauth-toolkit to look like ours.
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
            ],
        },
    }
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": STATE_DIR / "provider.sqlite3",
        # Writers queue up instead of failing when a read turns into a write.
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL",
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Cookies do not know ports: the client site on the next port sees these too.
SESSION_COOKIE_NAME = "provider_sessionid"
CSRF_COOKIE_NAME = "provider_csrftoken"

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
USE_TZ = True
TIME_ZONE = "UTC"

OAUTH2_PROVIDER = {
    # Named, not derived from the request: it must be the same under any host name.
    "OIDC_ISS_ENDPOINT": f"http://127.0.0.1:{PORT}",
    # ID tokens for clients that ask for `openid`, signed with RS256.
    "OIDC_ENABLED": True,
    "OIDC_RSA_PRIVATE_KEY": _kept(STATE_DIR / "provider.pem", _new_signing_key),
    "OIDC_USERINFO_ENDPOINT": f"http://127.0.0.1:{PORT}/api/userinfo/",
    "OIDC_RESPONSE_TYPES_SUPPORTED": ["code"],
    "SCOPES": {
        "openid": "Know for certain who you are",
        "profile": "See your name and e-mail address",
        "notes": "Read your notes",
    },
    "DEFAULT_SCOPES": ["profile"],
    "ACCESS_TOKEN_EXPIRE_SECONDS": int(os.environ.get("EXAMPLE_TOKEN_LIFETIME", "20")),
    "PKCE_REQUIRED": True,
    # RFC 9700 section 4.14.2: a refresh token works once, and a replay ends the family.
    "ROTATE_REFRESH_TOKEN": True,
    "REFRESH_TOKEN_REUSE_PROTECTION": True,
    "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": 0,
    "OAUTH2_RESPONSE_TYPES_SUPPORTED": ["code"],
    "OAUTH2_GRANT_TYPES_SUPPORTED": ["authorization_code", "refresh_token"],
    "COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
    "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
    # RFC 9207: `iss` in the callback, for the client to check.
    "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
    # The toolkit keeps tokens in clear unless told to keep their hashes only. A server
    # needs no more than a hash to recognise a token; a client has to send the token
    # itself, which is why oauth_accounts seals it with a key instead of hashing it.
    "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
}
