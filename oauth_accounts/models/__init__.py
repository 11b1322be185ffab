from oauth_accounts.models.account import ConnectedAccount
from oauth_accounts.models.authorization import AuthorizationAttempt
from oauth_accounts.models.event import (
    AccountEvent,
    PendingRevocation,
    RefreshStatistic,
)
from oauth_accounts.models.provider import Provider
from oauth_accounts.models.receivers import keep_tokens_of_deleted_account
from oauth_accounts.models.unread import UnreadAnswer, purge_unread_answers

__all__ = [
    "AccountEvent",
    "AuthorizationAttempt",
    "ConnectedAccount",
    "PendingRevocation",
    "Provider",
    "RefreshStatistic",
    "UnreadAnswer",
    "keep_tokens_of_deleted_account",
    "purge_unread_answers",
]
