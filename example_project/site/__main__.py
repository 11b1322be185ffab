"""Entry of the client site's manage commands."""

from __future__ import annotations

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    # Set, not defaulted: the process that starts this one may be another Django site.
    os.environ["DJANGO_SETTINGS_MODULE"] = "example_project.site.settings"
    execute_from_command_line(sys.argv)
