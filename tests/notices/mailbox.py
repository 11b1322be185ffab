"""A mail server on loopback: it speaks SMTP, and keeps what it takes."""

from __future__ import annotations

import socket
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

OK = "250 OK"


class Mailbox:
    """
    Starts with `start()`, may be stopped and started again at the same port.

    refuses: called with each recipient for the answer to RCPT. takes: called with the bytes
    of each mail for the answer to DATA, after they are kept.
    """

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as found:
            self.port: int = found.getsockname()[1]
        self.contents: list[bytes] = []
        self.recipients: list[list[str]] = []
        self.senders: list[str] = []
        self.connections = 0
        self.refuses: Callable[[str], str] = lambda address: OK
        self.takes: Callable[[bytes], str] = lambda content: OK
        self._controller: Controller | None = None

    def start(self) -> None:
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()
        self._controller = None

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Any, envelope: Any, hostname: str, answers: Any
    ) -> Any:
        self.connections += 1
        session.host_name = hostname
        return answers

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        answer = self.refuses(address)
        if answer == OK:
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Any, envelope: Any
    ) -> str:
        self.contents.append(envelope.content)
        self.recipients.append(list(envelope.rcpt_tos))
        self.senders.append(envelope.mail_from)
        return self.takes(envelope.content)

    @property
    def mails(self) -> list[EmailMessage]:
        """What was taken, as a mail program reads it."""
        return [
            message_from_bytes(content, policy=policy.default)  # type: ignore[misc]
            for content in self.contents
        ]


def parts(mail: EmailMessage) -> tuple[str, str]:
    """Return the text and the HTML of a mail."""
    assert mail.get_content_type() == "multipart/alternative"
    text, html = mail.iter_parts()
    assert text.get_content_type() == "text/plain"
    assert html.get_content_type() == "text/html"
    return text.get_content(), html.get_content()
