"""
Prints how long `django.setup()` takes with and without this app, in milliseconds.

    python -m benchmarks.importing oauth_accounts
"""

from __future__ import annotations

import json
import sys
import time

import django
from django.conf import settings

USUAL = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
]
# What the app needs to do its work; most of the time is theirs.
JOB = ("fernet_fields", "requests_oauthlib")

if __name__ == "__main__":
    added = sys.argv[1:]
    settings.configure(
        DEBUG=True,
        SECRET_KEY="made-up-for-this-measurement",
        FERNET_KEYS=["another-made-up-key-of-more-than-32-characters-0b8e"],
        INSTALLED_APPS=[*USUAL, *(app for app in added if app not in JOB)],
        DATABASES={"default": {"ENGINE": "django.db.backends.postgresql"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    started = time.perf_counter()
    django.setup()
    for name in added:
        __import__(name)
    seconds = time.perf_counter() - started
    loaded = [name for name in ("celery", "kombu", "jwt") if name in sys.modules]
    if "oauth_accounts.catalogue" in sys.modules:
        loaded.append("catalogue")
    print(json.dumps({"milliseconds": seconds * 1000, "loaded": loaded}))
