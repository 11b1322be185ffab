"""The broker of the example: a folder that several processes write and read."""

from __future__ import annotations

import threading
from queue import Empty

import kombu
import pytest

from example_project.site import broker


@pytest.fixture
def channel(tmp_path):
    options = broker.options(tmp_path)
    url = f"{broker.SCHEME}://"
    with kombu.Connection(url, transport_options=options) as connection:
        yield connection.default_channel


def messages(tmp_path):
    return sorted(path.name for path in (tmp_path / "messages").iterdir())


def test_messages_come_out_once_and_in_order(channel, tmp_path):
    for number in range(3):
        channel._put("mail", {"number": number})
    assert [channel._get("mail")["number"] for _ in range(3)] == [0, 1, 2]
    with pytest.raises(Empty):
        channel._get("mail")
    assert messages(tmp_path) == []


def test_queues_are_kept_apart(channel):
    channel._put("a", {"for": "a"})
    channel._put("a.b", {"for": "a.b"})
    assert channel._size("a") == 1
    assert channel._get("a.b") == {"for": "a.b"}
    assert channel._get("a") == {"for": "a"}


def test_a_message_that_is_being_written_is_not_seen(channel, tmp_path):
    channel._put("mail", {})
    [name] = messages(tmp_path)
    path = tmp_path / "messages" / name
    path.rename(path.with_name(f"{name}.draft"))
    with pytest.raises(Empty):
        channel._get("mail")
    assert messages(tmp_path) == [f"{name}.draft"]


class Reader(threading.Thread):
    """Takes messages until it is told that there will be no more."""

    def __init__(self, folder):
        super().__init__()
        self.options = broker.options(folder)
        self.got, self.failures = [], []
        self.complete = threading.Event()

    def run(self):
        url = f"{broker.SCHEME}://"
        with kombu.Connection(url, transport_options=self.options) as connection:
            while True:
                complete = self.complete.is_set()
                try:
                    self.got.append(connection.default_channel._get("mail")["number"])
                except ValueError as error:
                    self.failures.append(error)
                except Empty:
                    if complete:
                        return


def test_nothing_is_lost_between_many_readers_and_a_writer(channel, tmp_path):
    readers = [Reader(tmp_path) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(300):
        channel._put("mail", {"number": number})
    for reader in readers:
        reader.complete.set()
    for reader in readers:
        reader.join(30)
    assert [reader.failures for reader in readers] == [[], [], []]
    assert sorted(n for reader in readers for n in reader.got) == list(range(300))
