"""
Signals, sent after commit with send_robust, once per change of state.

The sender is the ConnectedAccount class. No argument ever holds a token.
"""

from django.dispatch import Signal

# account, request: HttpRequest or None
account_connected = Signal()

# account, request: HttpRequest or None
account_reconnected = Signal()

# account
tokens_refreshed = Signal()

# account, added: frozenset[str], removed: frozenset[str]
scopes_changed = Signal()

# account, reason: str
reauth_required = Signal()

# account
refresh_recovered = Signal()

# account, reason: str
account_revoked = Signal()
