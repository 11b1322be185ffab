from __future__ import annotations

import traceback

import pytest

from oauth_accounts.frames import without_frames

PLAIN = "plain-text-8c1f"


def handle(error):
    plain = PLAIN
    try:
        {}[plain]
    except KeyError as cause:
        raise error from cause


@without_frames
def handle_quietly(error):
    handle(error)


def report_of(work, error):
    with pytest.raises(type(error)) as caught:
        work(error)
    assert caught.value is error
    found = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(found.format())


class TestWithoutFrames:
    def test_a_report_would_show_the_plaintext(self):
        assert PLAIN in report_of(handle, ValueError("wrong"))

    @pytest.mark.parametrize(
        "error", [ValueError("wrong"), KeyboardInterrupt("wrong"), SystemExit("wrong")]
    )
    def test_nothing_from_within_is_carried_along(self, error):
        report = report_of(handle_quietly, error)
        assert PLAIN not in report
        assert "in handle\n" not in report
        assert "wrong" in report
        assert error.__cause__ is None
        assert error.__context__ is None

    def test_the_place_is_kept_as_a_note(self):
        (note,) = traceback.format_exception_only(raised(ValueError("wrong")))[1:]
        line = handle.__code__.co_firstlineno + 5
        assert note == f"Raised in {__file__}, line {line}.\n"

    def test_wrapped_exceptions_lose_theirs_too(self):
        inner = raised(LookupError("inner"), handle)
        reason = raised(LookupError("reason"), handle)
        outer = RuntimeError("outer", inner)
        outer.reason = reason
        assert inner.__traceback__
        raised(outer)
        assert inner.__traceback__ is None
        assert reason.__traceback__ is None

    def test_what_is_returned_is_left_alone(self):
        assert without_frames(max)(1, 2) == 2


def raised(error, work=handle_quietly):
    with pytest.raises(type(error)):
        work(error)
    return error
