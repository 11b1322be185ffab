"""The two clocks: this process's, and the database's, which all workers share."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import DateTimeField
from django.db.models.functions import Now
from django.utils import timezone


def utcnow() -> datetime:
    """Return the time of this process in UTC."""
    return timezone.now()


class DatabaseNow(Now):
    """
    The time of the database server in UTC, with fractions of a second.

    Django's Now() is the session's local time on MySQL and MariaDB, which is not the
    UTC that the columns hold when the server is in another zone.
    """

    output_field = DateTimeField()

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="UTC_TIMESTAMP(6)", **context)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        # SQLite counts milliseconds and compares text: without the digits that columns
        # have, what was written in this millisecond would lie in the future.
        return self.as_sql(
            compiler,
            connection,
            template="STRFTIME('%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f', 'NOW') || '999'",
            **context,
        )


def on_database(moment: datetime) -> Any:
    """
    Return a moment of this process's clock as one of the database's, for a write.

    Dates that workers compare are all on one clock, though theirs may be minutes apart.
    The expression is about the moment it is built; build it just before the write.
    """
    return DatabaseNow() + (moment - utcnow())
