"""Arguments that more than one action takes, and the numbers they may be."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentTypeError

from django.core.management.base import BaseCommand, CommandParser


def positive(text: str) -> int:
    """Read a number from 1 on; raises ArgumentTypeError."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)


def django_options() -> CommandParser:
    """
    Return Django's own options, to be understood after the name of an action too.

    They have no defaults there, which would undo what was said before the name.
    """
    options = BaseCommand().create_parser("", "", add_help=False)
    for action in options._actions:
        action.default = SUPPRESS
    return options
