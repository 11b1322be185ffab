"""Events of what administrators ask providers by hand."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("oauth_accounts", "0006_notices"),
    ]

    operations = [
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
                    ("secret_refused", "Wrong secret entered"),
                    ("keys_rotated", "Keys rotated"),
                    ("provider_paused", "Provider paused"),
                    ("provider_resumed", "Provider resumed"),
                    ("provider_altered", "Provider altered by SQL"),
                    ("provider_rebound", "Provider rebound"),
                    ("provider_asked", "Provider asked by hand"),
                ],
                max_length=32,
                verbose_name="kind",
            ),
        ),
    ]
