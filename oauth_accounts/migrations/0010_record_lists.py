"""Indexes for the lists of events, revocations and statistics."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("oauth_accounts", "0009_health"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="accountevent",
            index=models.Index(
                fields=["kind", "-created_at"], name="oauth_accounts_event_kind"
            ),
        ),
        migrations.AddIndex(
            model_name="pendingrevocation",
            index=models.Index(
                fields=["-created_at"], name="oauth_accounts_revoked_newest"
            ),
        ),
        migrations.AddIndex(
            model_name="pendingrevocation",
            index=models.Index(
                fields=["status", "-created_at"], name="oauth_accounts_revoked_status"
            ),
        ),
        migrations.AddIndex(
            model_name="refreshstatistic",
            index=models.Index(fields=["-hour"], name="oauth_accounts_statistic_hour"),
        ),
    ]
