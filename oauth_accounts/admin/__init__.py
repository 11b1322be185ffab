from oauth_accounts.admin.account import ConnectedAccountAdmin
from oauth_accounts.admin.bulk_action import BulkActionAdmin
from oauth_accounts.admin.overview import HealthAdmin
from oauth_accounts.admin.provider import ProviderAdmin
from oauth_accounts.admin.records import (
    AccountEventAdmin,
    AuthorizationAttemptAdmin,
    PendingRevocationAdmin,
    RefreshStatisticAdmin,
)

__all__ = [
    "AccountEventAdmin",
    "AuthorizationAttemptAdmin",
    "BulkActionAdmin",
    "ConnectedAccountAdmin",
    "HealthAdmin",
    "PendingRevocationAdmin",
    "ProviderAdmin",
    "RefreshStatisticAdmin",
]
