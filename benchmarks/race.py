"""What the throughput line and its budget both refer to."""

from __future__ import annotations

PROCESSES = 2
# Calls at a time in each process, by latency in milliseconds.
CONCURRENCY = {0: 16, 50: 32, 200: 64}
TITLES = {
    "ours-celery": "this app, Celery worker of two processes",
    "ours-2-processes": "this app, two processes without Celery",
    "ours-1-process": "this app, one process without Celery",
    "task-per-account": "one Celery task per account (requests-oauthlib)",
    "allauth-tasks": "one Celery task per django-allauth token",
    "social-loop": "python-social-auth, two loops",
    "authlib-loop": "Authlib, two loops",
}
FLOWS = {
    "ours": "this app",
    "floor": "by hand, without a library",
    "authlib": "Authlib's Django client",
    "social": "python-social-auth",
    "allauth": "django-allauth",
}
