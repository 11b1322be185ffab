"""Orders for many accounts, and permissions for the new actions."""

import django.db.models.deletion
import oauth_accounts.clock
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("oauth_accounts", "0007_provider_asked"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="connectedaccount",
            options={
                "ordering": ["-created_at"],
                "permissions": [
                    ("refresh_connectedaccount", "Can refresh connected account"),
                    ("revoke_connectedaccount", "Can revoke connected account"),
                    (
                        "require_reauth_connectedaccount",
                        "Can require reauthorisation of connected account",
                    ),
                    (
                        "disable_connectedaccount",
                        "Can disable and enable connected account",
                    ),
                ],
                "verbose_name": "connected account",
                "verbose_name_plural": "connected accounts",
            },
        ),
        migrations.CreateModel(
            name="BulkAction",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("refresh", "Refresh now"),
                            ("revoke", "Revoke at the provider"),
                            ("require_reauth", "Require reauthorisation"),
                            ("disable", "Disable"),
                            ("enable", "Enable"),
                        ],
                        max_length=32,
                        verbose_name="action",
                    ),
                ),
                (
                    "total",
                    models.PositiveIntegerField(default=0, verbose_name="accounts"),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_index=True,
                        default=oauth_accounts.clock.utcnow,
                        verbose_name="time",
                    ),
                ),
                ("busy_until", models.DateTimeField(editable=False, null=True)),
                (
                    "finished_at",
                    models.DateTimeField(
                        blank=True, null=True, verbose_name="finished"
                    ),
                ),
                (
                    "actor",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="actor",
                    ),
                ),
            ],
            options={
                "verbose_name": "bulk action",
                "verbose_name_plural": "bulk actions",
                "ordering": ["-created_at"],
            },
        ),
        migrations.CreateModel(
            name="BulkItem",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("account_key", models.UUIDField(verbose_name="account ID")),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("queued", "Due for a refresh"),
                            ("done", "Done"),
                            ("skipped", "Skipped"),
                            ("failed", "Failed"),
                        ],
                        default="waiting",
                        max_length=16,
                        verbose_name="outcome",
                    ),
                ),
                (
                    "reason",
                    models.CharField(blank=True, max_length=64, verbose_name="reason"),
                ),
                (
                    "bulk_action",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="items",
                        to="oauth_accounts.bulkaction",
                        verbose_name="bulk action",
                    ),
                ),
            ],
            options={
                "verbose_name": "account of a bulk action",
                "verbose_name_plural": "accounts of bulk actions",
                "ordering": ["id"],
                "indexes": [
                    models.Index(
                        fields=["bulk_action", "outcome", "id"],
                        name="oauth_accounts_bulk_next",
                    )
                ],
            },
        ),
    ]
