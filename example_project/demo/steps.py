"""The steps in their order, each with what has to hold."""

from __future__ import annotations

from example_project.demo import steps_behind as behind
from example_project.demo import steps_user as user
from example_project.demo.visit import Step

STEPS: list[tuple[str, Step]] = [
    ("The user logs in", user.log_in),
    ("Connecting leads to the provider", user.connect),
    ("The user logs in there and consents", user.consent),
    ("The callback stores the account", user.come_back),
    ("account.session() calls the protected API", user.use),
    ("Beat and worker refresh the token twice", behind.be_refreshed),
    ("The API still answers", user.use_again),
    ("The stored columns are ciphertext", behind.be_ciphertext),
    ("No token is stored in clear anywhere", behind.be_nowhere),
    ("An administrator revokes", behind.be_revoked),
    ("The worker delivers the revocation", behind.be_delivered),
    ("The API refuses the old token", behind.be_refused),
    ("The user sees it", user.see_revoked),
    ("Still no token in clear", behind.be_nowhere),
]
