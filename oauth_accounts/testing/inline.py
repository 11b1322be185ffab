"""
Refreshing inside the transaction that a TestCase wraps around each test.

A refresh stores its result apart from the caller's transaction, where a test that runs in
one cannot see it, and so it raises RefreshInTransaction. A test has nothing to lose:

    with refresh_inline():                          # or @refresh_inline() on a test
        account.get_access_token()

    class Tests(RefreshInlineMixin, TestCase): ...  # all of them, setUpTestData too

The rollback between tests does not reach the provider: a fake one that outlives a test is
best told not to rotate refresh tokens.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from oauth_accounts import durable

if TYPE_CHECKING:
    from unittest import TestCase
else:
    TestCase = object

__all__ = ["RefreshInlineMixin", "refresh_inline"]

# Context manager and decorator in one. Threads that a test starts are not covered: they
# have connections of their own and see nothing of the test's transaction anyway.
refresh_inline = durable.inline


class RefreshInlineMixin(TestCase):
    """Let all tests of a class refresh inside their transaction; stands left of TestCase."""

    @classmethod
    def setUpClass(cls) -> None:
        inline: AbstractContextManager[None] = refresh_inline()
        cls.enterClassContext(inline)
        super().setUpClass()
