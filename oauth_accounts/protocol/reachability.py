"""Whether somebody answers at an address; what is said there is not looked at."""

from __future__ import annotations

import requests

from oauth_accounts.protocol.transport import BoundedSession, call


def require_answer(url: str) -> None:
    """
    Ask for the headers of a page, and be content with any.

    Raises ProviderMisconfigured when the address is not one that may be called,
    ProviderUnavailable when no answer came. Whoever shows that shows nothing finer: one
    could learn from it what listens in the network of this machine.
    """
    call(BoundedSession(), requests.Request("HEAD", url))
