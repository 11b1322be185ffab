"""The token is in no report about a call that failed."""

from __future__ import annotations

import socket
import traceback

import pytest
import requests
from django.views.debug import ExceptionReporter

from oauth_accounts.fields import Secret
from oauth_accounts.testing.wire import Answer


@pytest.fixture
def live(make_account):
    return make_account(expires_in=3000)


class TestReports:
    """What Django's error page and mail, and error trackers, would show."""

    @pytest.fixture
    def report(self, live, settings):
        settings.DEBUG = True
        token = Secret(live.get_access_token())

        def call(error, method="get", **options):
            with pytest.raises(error) as caught:
                getattr(live.session(), method)("notes", **options)
            found = caught.value
            frames = traceback.StackSummary.extract(
                traceback.walk_tb(found.__traceback__), capture_locals=True
            )
            reporter = ExceptionReporter(None, type(found), found, found.__traceback__)
            shown = [
                repr(found.args),
                repr([frame.locals for frame in frames]),
                reporter.get_traceback_html(),
                reporter.get_traceback_text(),
            ]
            assert "test_session_reports.py" in shown[2]
            assert [text for text in shown if token.get_value() in text] == []
            return found

        return call

    def test_a_connection_that_breaks(self, report, server):
        server.script(Answer(drop=True), endpoint="api")
        found = report(requests.ConnectionError)
        assert found.request.url.endswith("/api/notes")
        assert found.__cause__ is None
        assert found.__context__ is None
        (wrapped,) = found.args
        assert wrapped.__traceback__ is None
        assert "aborted" in str(found)

    def test_nobody_listens(self, report, live):
        live.api_base_url = "http://127.0.0.1:9"
        found = report(requests.ConnectionError)
        (wrapped,) = found.args
        assert wrapped.reason.__traceback__ is None

    def test_an_answer_that_does_not_come_in_time(self, report, server):
        server.script(Answer(delay=1), endpoint="api")
        assert isinstance(report(requests.Timeout, timeout=0.1), requests.ReadTimeout)

    def test_a_header_that_cannot_be_encoded(self, report):
        report(UnicodeEncodeError, headers={"X-Name": "\u0142"})

    def test_a_body_that_fails(self, report, live):
        def body():
            yield b"first"
            raise LookupError("second")

        with socket.create_server(("127.0.0.1", 0)) as listener:
            live.api_base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            report(LookupError, method="post", data=body())
