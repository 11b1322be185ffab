"""System checks. Ids are stable; a retired one is never used again."""

from oauth_accounts.checks.canary import check_canary
from oauth_accounts.checks.configuration import (
    check_base_url,
    check_numbers,
    check_providers,
    check_success_url,
)
from oauth_accounts.checks.hosts import (
    check_allowed_hosts,
    check_private_hosts,
    check_provider_hosts,
    check_settings_hosts,
)
from oauth_accounts.checks.notices import (
    check_notice_callables,
    check_notice_schedule,
    check_notices,
)
from oauth_accounts.checks.pins import check_pins
from oauth_accounts.checks.security import (
    FORBIDDEN_ENVIRONMENT,
    check_celery,
    check_environment,
    check_hkdf,
    check_keys,
    check_loggers,
    check_session_cookie,
    check_session_engine,
)
from oauth_accounts.checks.sweeps import check_beat_schedule, check_provider_margins
from oauth_accounts.checks.tables import (
    check_owner,
    check_owner_table,
    check_time_zone,
)

__all__ = [
    "FORBIDDEN_ENVIRONMENT",
    "check_allowed_hosts",
    "check_base_url",
    "check_beat_schedule",
    "check_canary",
    "check_celery",
    "check_environment",
    "check_hkdf",
    "check_keys",
    "check_loggers",
    "check_notice_callables",
    "check_notice_schedule",
    "check_notices",
    "check_numbers",
    "check_owner",
    "check_owner_table",
    "check_pins",
    "check_private_hosts",
    "check_provider_hosts",
    "check_provider_margins",
    "check_providers",
    "check_session_cookie",
    "check_session_engine",
    "check_settings_hosts",
    "check_success_url",
    "check_time_zone",
]
