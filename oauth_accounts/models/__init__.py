from oauth_accounts.models.account import ConnectedAccount
from oauth_accounts.models.authorization import AuthorizationAttempt
from oauth_accounts.models.bulk import BulkAction, BulkItem, purge_bulk_actions
from oauth_accounts.models.event import (
    AccountEvent,
    PendingRevocation,
    RefreshStatistic,
    purge_events,
)
from oauth_accounts.models.health import Health
from oauth_accounts.models.notice import Notice, purge_notices
from oauth_accounts.models.provider import Provider
from oauth_accounts.models.receivers import keep_tokens_of_deleted_account
from oauth_accounts.models.unread import UnreadAnswer, purge_unread_answers

__all__ = [
    "AccountEvent",
    "AuthorizationAttempt",
    "BulkAction",
    "BulkItem",
    "ConnectedAccount",
    "Health",
    "Notice",
    "PendingRevocation",
    "Provider",
    "RefreshStatistic",
    "UnreadAnswer",
    "keep_tokens_of_deleted_account",
    "purge_bulk_actions",
    "purge_events",
    "purge_notices",
    "purge_unread_answers",
]
