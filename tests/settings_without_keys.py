"""The suite's settings as of somebody who has forgotten the keys."""

from tests.settings import *  # noqa: F403

DEBUG = False
FERNET_KEYS = None
