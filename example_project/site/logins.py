"""The made-up log-ins at the client site; may be imported without Django."""

from __future__ import annotations

USER = "grace"
PASSWORD = "nanosecond-of-wire"
ADMIN = "admin"
ADMIN_PASSWORD = "keeper-of-the-keys"
# Made by seed-demo: the owner of an account in each state.
MEMBER = "hedy"
MEMBER_PASSWORD = "frequency-hopping"
# Made by it too: the owner of a handful of accounts, as people have.
REGULAR = "edith"
REGULAR_PASSWORD = "tea-at-four-sharp"
