from __future__ import annotations

import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from oauth_accounts.protocol.tokens import TokenSet, parse_token_answer

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
YEAR = 365 * 86_400


def parse(*, body=None, separator=" ", **members) -> TokenSet:
    document = {"access_token": "at", "token_type": "Bearer", "refresh_token": "new"}
    document.update(members)
    if body is None:
        body = json.dumps(document).encode()
    return parse_token_answer(body, issued_at=NOW, scope_separator=separator)


def value(secret):
    return None if secret is None else secret.get_value()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
MEMBERS = st.sampled_from(
    "access_token refresh_token id_token token_type scope expires_in "
    "refresh_token_expires_in expires_at error".split()
)


class TestAnyAnswer:
    @given(st.binary(max_size=2000))
    def test_any_bytes_give_a_token_set(self, body):
        tokens = parse(body=body)
        assert tokens.usable == (tokens.access_token is not None)

    @given(
        st.dictionaries(MEMBERS, JSON),
        st.sampled_from([" ", ",", "+", ";", "\n", ", "]),
    )
    def test_any_members_give_a_token_set_that_can_be_stored(self, members, separator):
        tokens = parse(separator=separator, **members)
        assert tokens.usable == (tokens.access_token is not None)
        for secret in (tokens.access_token, tokens.refresh_token, tokens.id_token):
            assert secret is None or secret.get_value().encode()
        assert "".join(tokens.scopes or ()).isascii()
        assert tokens.expires_in is None or 0 <= tokens.expires_in <= YEAR
