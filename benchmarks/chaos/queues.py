"""What messages of a run are called, and where they wait."""

from __future__ import annotations

# What workers listen to, and where messages wait for the postman who copies them.
QUEUE, LETTER_BOX = "chaos", "chaos-letters"
SWEEP = "oauth_accounts.tasks.refresh_due_accounts"
REFRESH = "oauth_accounts.tasks.refresh_account"
EXPIRES = 900
