import django.core.validators
import django.db.models.deletion
import oauth_accounts.clock
import oauth_accounts.fields
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("oauth_accounts", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="provider",
            name="pause_count",
            field=models.PositiveIntegerField(
                default=0, editable=False, verbose_name="pauses in a row"
            ),
        ),
        migrations.AddField(
            model_name="provider",
            name="probe_until",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="provider",
            name="refresh_slots_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AlterField(
            model_name="accountevent",
            name="kind",
            field=models.CharField(
                choices=[
                    ("connected", "Connected"),
                    ("reconnected", "Reconnected"),
                    ("reauth_required", "Reauthorisation required"),
                    ("recovered", "Recovered"),
                    ("refresh_failed", "Refresh failed"),
                    ("scopes_changed", "Scopes changed"),
                    ("revoked", "Revoked"),
                    ("revocation_confirmed", "Revoked at provider"),
                    ("revocation_failed", "Not revoked at provider"),
                    ("disabled", "Disabled"),
                    ("enabled", "Enabled"),
                    ("deleted", "Deleted"),
                    ("rejected", "Callback rejected"),
                    ("secret_changed", "Secret changed"),
                    ("keys_rotated", "Keys rotated"),
                    ("provider_paused", "Provider paused"),
                    ("provider_resumed", "Provider resumed"),
                ],
                max_length=32,
                verbose_name="kind",
            ),
        ),
        migrations.AlterField(
            model_name="provider",
            name="max_refreshes_per_minute",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Of all workers together; empty means no limit.",
                null=True,
                validators=[django.core.validators.MinValueValidator(1)],
                verbose_name="refreshes per minute",
            ),
        ),
        migrations.CreateModel(
            name="UnreadAnswer",
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
                ("body", oauth_accounts.fields.SealedTextField(verbose_name="body")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_index=True,
                        default=oauth_accounts.clock.utcnow,
                        verbose_name="received",
                    ),
                ),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="unread_answers",
                        to="oauth_accounts.connectedaccount",
                        verbose_name="account",
                    ),
                ),
            ],
            options={
                "verbose_name": "unread answer",
                "verbose_name_plural": "unread answers",
                "ordering": ["-created_at"],
            },
        ),
    ]
