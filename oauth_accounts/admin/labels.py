"""Labels of accounts in a list: cut to what it has room for, and broken where one would."""

from __future__ import annotations

import re

from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator

SHOWN = 30


def short(label: object) -> SafeString:
    """Return a label of at most 30 characters; most are addresses, which break at the sign."""
    parts = re.split(r"(?<=@)", Truncator(str(label)).chars(SHOWN))
    return format_html_join("", "{}<wbr>", ((part,) for part in parts))
