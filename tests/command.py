"""The command as tests call it."""

from __future__ import annotations

import io

from django.core.management import call_command


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run(*arguments, **options) -> str:
    """Call the command and return what it writes to stdout."""
    out = io.StringIO()
    call_command("oauth_accounts", *arguments, stdout=out, **options)
    return out.getvalue()
