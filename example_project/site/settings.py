"""Settings of the client site; what may vary comes from the environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import dj_database_url
from django.utils.translation import gettext_lazy as _

from example_project.site import broker, keys
from oauth_accounts.beat import BEAT_SCHEDULE

BASE_DIR = Path(__file__).resolve().parent
STATE_DIR = Path(os.environ.get("EXAMPLE_STATE_DIR", ".demo")).resolve()
PORT = int(os.environ.get("EXAMPLE_SITE_PORT", "8000"))
PROVIDER_PORT = int(os.environ.get("EXAMPLE_PROVIDER_PORT", "8001"))
KEYS = keys.load(STATE_DIR / "site-keys.json")

SECRET_KEY = KEYS.secret_key
# Plain http, to this machine only, is what DEBUG allows and a real site must not.
DEBUG = True
# One name only: the cookies of a user at "localhost" would not come back from a provider
# that sends browsers to 127.0.0.1.
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "example_project.site.urls"
WSGI_APPLICATION = None

INSTALLED_APPS = [
    "example_project.site",
    "oauth_accounts",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # Its base.html is what the pages of oauth_accounts extend.
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

if url := os.environ.get("DATABASE_URL"):
    DATABASES: dict[str, Any] = {"default": dj_database_url.parse(url)}
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": STATE_DIR / "site.sqlite3",
            # Web, worker and beat write at once: writers queue up instead of failing when
            # a read turns into a write.
            "OPTIONS": {
                "timeout": 20,
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            },
        }
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Cookies do not know ports: the provider on the next port sees these too. For the same
# reason messages do not travel in a cookie.
SESSION_COOKIE_NAME = "example_sessionid"
CSRF_COOKIE_NAME = "example_csrftoken"
LANGUAGE_COOKIE_NAME = "example_language"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
STATIC_URL = "static/"
LANGUAGE_CODE = "en"
LANGUAGES = [
    ("en", "English"),
    ("de", "German"),
    ("es", "Spanish"),
    ("fr", "French"),
    ("ja", "Japanese"),
    # Not among the translations of oauth_accounts: shows its pages read from the right.
    ("he", "Hebrew"),
]
USE_TZ = True
TIME_ZONE = "UTC"  # Celery writes its log in it too

FERNET_KEYS = [KEYS.fernet_key]
OAUTH_ACCOUNTS_BASE_URL = f"http://127.0.0.1:{PORT}"
PROVIDER = f"http://127.0.0.1:{PROVIDER_PORT}"
OAUTH_ACCOUNTS_PROVIDERS = {
    "engine-notes": {
        "name": "Engine Notes",
        "client_id": KEYS.client_id,
        "client_secret": KEYS.client_secret,
        "issuer": PROVIDER,
        "authorization_endpoint": f"{PROVIDER}/o/authorize/",
        "token_endpoint": f"{PROVIDER}/o/token/",
        "revocation_endpoint": f"{PROVIDER}/o/revoke_token/",
        "userinfo_endpoint": f"{PROVIDER}/api/userinfo/",
        # The keys that it signs ID tokens with; needed because of the scope openid.
        "jwks_uri": f"{PROVIDER}/o/jwks.json",
        "api_base_url": f"{PROVIDER}/api/",
        "label_path": "preferred_username",
        "scopes": ["openid", "profile", "notes"],
        "scope_descriptions": {"notes": _("Read your notes")},
        "grants_url": f"{PROVIDER}/",
        "authorization_response_iss_parameter_supported": True,
        "code_challenge_methods_supported": ["S256"],
    }
}

# A folder with a file per mail; a real site has a mail server.
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = STATE_DIR / "mail"
DEFAULT_FROM_EMAIL = "Example site <example@site.example>"
OAUTH_ACCOUNTS_NOTICES = ["reauth_required", "connected", "disconnected"]

BROKER_DIR = STATE_DIR / "broker"
CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL", f"{broker.SCHEME}://")
if CELERY_BROKER_URL.startswith(broker.SCHEME):
    CELERY_BROKER_TRANSPORT_OPTIONS = broker.options(BROKER_DIR)
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_TASK_IGNORE_RESULT = True
# Of another project on the same server nobody takes this one's tasks.
CELERY_TASK_DEFAULT_QUEUE = "example_project"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BEAT_SCHEDULE_FILENAME = str(STATE_DIR / "beat-schedule")
CELERY_BEAT_SCHEDULE = {
    **BEAT_SCHEDULE,
    # Every minute is right for tokens that live an hour; these live 20 seconds.
    "oauth_accounts.refresh_due_accounts": {
        "task": "oauth_accounts.tasks.refresh_due_accounts",
        "schedule": 2.0,
        "options": {"expires": 10},
    },
}
