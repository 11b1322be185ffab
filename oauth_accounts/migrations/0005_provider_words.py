"""Words for scopes, and where users see at the provider what they granted."""

import oauth_accounts.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("oauth_accounts", "0004_admin_lists"),
    ]

    operations = [
        migrations.AddField(
            model_name="provider",
            name="grants_url",
            field=models.CharField(
                blank=True,
                help_text="Where users see, at the provider, what they gave access to.",
                max_length=500,
                validators=[oauth_accounts.validators.validate_link],
                verbose_name="page of granted access",
            ),
        ),
        migrations.AddField(
            model_name="provider",
            name="scope_descriptions",
            field=models.JSONField(
                blank=True,
                default=dict,
                help_text="What users read instead of a scope, such as: Read your notes.",
                validators=[oauth_accounts.validators.validate_scope_descriptions],
                verbose_name="scopes in words",
            ),
        ),
    ]
