"""What the admin's lists of a million accounts are found by."""

from __future__ import annotations

from django.db.models import Index, Q


def admin_indexes() -> list[Index]:
    """
    Return the indexes behind the order, the search and the filters of the admin.

    Each that a healthy account is in costs every refresh a write: those are three, and the
    others leave healthy accounts out. MySQL and MariaDB know no such conditions, and go
    without.
    """
    return [*_of_all_rows(), *_of_few_rows()]


def _of_all_rows() -> list[Index]:
    return [
        Index(fields=["-created_at", "-id"], name="oauth_accounts_account_newest"),
        Index(fields=["uid"], name="oauth_accounts_account_uid"),
        Index(
            fields=["label"],
            name="oauth_accounts_account_label",
            # For beginnings, whatever the collation; other databases take no notice.
            opclasses=["varchar_pattern_ops"],
        ),
    ]


def _of_few_rows() -> list[Index]:
    stopped = Q(status__in=("needs_reauth", "revoked", "disabled"))
    return [
        Index(
            fields=["status", "-created_at"],
            condition=stopped,
            name="oauth_accounts_account_stopped",
        ),
        Index(
            fields=["provider", "status", "-created_at"],
            condition=stopped,
            name="oauth_accounts_stopped_at",
        ),
        Index(
            fields=["status_reason", "-created_at"],
            condition=~Q(status_reason=""),
            name="oauth_accounts_account_reason",
        ),
        Index(
            fields=["expires_at"],
            condition=Q(refresh_token__isnull=True, status="active"),
            name="oauth_accounts_account_ends",
        ),
        Index(
            fields=["refresh_token_expires_at"],
            condition=Q(refresh_token_expires_at__isnull=False),
            name="oauth_accounts_account_dies",
        ),
        Index(
            fields=["last_refreshed_at"],
            condition=Q(refresh_due_at__isnull=True),
            name="oauth_accounts_account_unused",
        ),
    ]
