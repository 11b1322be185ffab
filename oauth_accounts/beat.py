"""
When Celery's beat sends the tasks; imports nothing, so that settings may import it.

Merge it into the project's own schedule, in settings or in the module of the Celery app:

    CELERY_BEAT_SCHEDULE = {**BEAT_SCHEDULE, ...}
"""

from __future__ import annotations

from typing import Any

# Seconds. A late task finds nothing left to do, so this is long: clocks of machines may be
# minutes apart, and what is out of date on arrival is never done.
EXPIRES = 900

BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "oauth_accounts.refresh_due_accounts": {
        "task": "oauth_accounts.tasks.refresh_due_accounts",
        "schedule": 60.0,
        "options": {"expires": EXPIRES},
    },
    "oauth_accounts.deliver_revocations": {
        "task": "oauth_accounts.tasks.deliver_revocations",
        "schedule": 60.0,
        "options": {"expires": EXPIRES},
    },
    "oauth_accounts.deliver_notices": {
        "task": "oauth_accounts.tasks.deliver_notices",
        "schedule": 60.0,
        "options": {"expires": EXPIRES},
    },
    "oauth_accounts.run_bulk_actions": {
        "task": "oauth_accounts.tasks.run_bulk_actions",
        "schedule": 60.0,
        "options": {"expires": EXPIRES},
    },
    "oauth_accounts.purge_expired_attempts": {
        "task": "oauth_accounts.tasks.purge_expired_attempts",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
}
