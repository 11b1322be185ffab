"""The project's mail server: one connection for many messages, and who is to blame."""

from __future__ import annotations

import contextlib
import smtplib
from typing import Any

from django.core import mail
from django.core.mail import EmailMessage

# For each step of a conversation; Django's own default is to wait without end.
TIMEOUT_SECONDS = 10.0


class Unsent(Exception):
    """
    A message that was not sent.

    error: name of the class of what was raised. refused: it was the message's own fault.
    unreachable: there was no mail server to give it to.
    """

    def __init__(self, error: str, *, refused: bool = False, unreachable: bool = False):
        super().__init__(error)
        self.error = error
        self.refused = refused
        self.unreachable = unreachable


class Post:
    """A mail server that is dialled when the first message comes."""

    def __init__(self) -> None:
        self._connection: Any = None

    def send(self, message: EmailMessage) -> None:
        """Send a message; raises Unsent, whatever the project's backend raises."""
        # Kept for the next message only when all went well.
        connection, self._connection = self._connection or self._dial(), None
        try:
            sent = connection.send_messages([message])
        except Exception as error:  # noqa: BLE001  # backends raise what they like
            _close(connection)
            failure = Unsent(type(error).__name__, refused=_is_refused(error))
        else:
            self._connection = connection
            # Some backends return nothing.
            if sent != 0:
                return
            failure = Unsent("not taken")
        raise failure

    def close(self) -> None:
        """End the conversation."""
        if self._connection is not None:
            _close(self._connection)
        self._connection = None

    def _dial(self) -> Any:
        connection = None
        try:
            connection = _connect()
            connection.open()
            return connection
        except Exception as error:  # noqa: BLE001
            _close(connection)
            failure = Unsent(type(error).__name__, unreachable=True)
        raise failure


def _connect() -> Any:
    # Django 6.1 has several mailers, and takes the old way for a deprecated one.
    mailers = getattr(mail, "mailers", None)
    connection: Any = mail.get_connection() if mailers is None else mailers.default
    if getattr(connection, "timeout", 0) is None:
        connection.timeout = TIMEOUT_SECONDS
    return connection


def _close(connection: Any) -> None:
    with contextlib.suppress(Exception):
        connection.close()


def _is_refused(error: Exception) -> bool:
    """Say whether sending the same again is of little use (RFC 5321 section 4.2.1)."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _text in error.recipients.values())
    if isinstance(error, smtplib.SMTPDataError):
        return error.smtp_code >= 500
    # An address that cannot be written, or not for this server.
    return isinstance(error, ValueError | smtplib.SMTPNotSupportedError)
