"""D10: whatever comes in, no exception but ours comes out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.corpus import CORPUS
from tests.fuzz.targets import TARGETS

CASES = [(name, data) for name, seeds in CORPUS.items() for data in seeds]


def test_every_target_has_a_corpus():
    assert set(CORPUS) == set(TARGETS)


@pytest.mark.parametrize(("name", "data"), CASES)
def test_d10_hostile_bytes(name, data):
    TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.data())
def test_d10_any_bytes(name, data):
    TARGETS[name](data.draw(st.binary(max_size=300)))


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.data())
def test_d10_bytes_that_were_good_once(name, data):
    """A seed with a piece taken out, put in or doubled."""
    seed = data.draw(st.sampled_from([s for s in CORPUS[name] if len(s) < 1_000]))
    start = data.draw(st.integers(0, len(seed)))
    end = data.draw(st.integers(start, len(seed)))
    piece = data.draw(st.binary(max_size=8) | st.just(seed[start:end] * 2))
    TARGETS[name](seed[:start] + piece + seed[end:])
