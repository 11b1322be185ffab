from django.apps import AppConfig
from django.core import checks
from django.utils.translation import gettext_lazy as _

from oauth_accounts import checks as own
from oauth_accounts import signals, workers


class OAuthAccountsConfig(AppConfig):
    name = "oauth_accounts"
    verbose_name = _("Connected accounts")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        signals.account_revoked.connect(workers.deliver_revocations)
        for check in (
            own.check_keys,
            own.check_hkdf,
            own.check_environment,
            own.check_base_url,
            own.check_celery,
            own.check_session_cookie,
            own.check_loggers,
        ):
            checks.register(check, checks.Tags.security)
        checks.register(own.check_session_engine, checks.Tags.security, deploy=True)
        checks.register(own.check_numbers)
        checks.register(own.check_beat_schedule)
        checks.register(own.check_private_hosts)
        checks.register(own.check_allowed_hosts)
        checks.register(own.check_settings_hosts)
        checks.register(own.check_providers)
        checks.register(own.check_notices)
        checks.register(own.check_notice_callables)
        checks.register(own.check_notice_schedule)
        checks.register(own.check_success_url, checks.Tags.urls)
        checks.register(own.check_owner, checks.Tags.models)
        checks.register(own.check_owner_table, checks.Tags.database)
        checks.register(own.check_time_zone, checks.Tags.database)
        checks.register(own.check_provider_margins, checks.Tags.database)
        checks.register(own.check_canary, checks.Tags.database)
        checks.register(own.check_provider_hosts, checks.Tags.database)
        checks.register(own.check_pins, checks.Tags.database)
