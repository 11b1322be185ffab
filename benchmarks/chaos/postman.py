"""Delivers each message twice or three times, some of them late, as brokers may."""

from __future__ import annotations

import heapq
import random
import threading
import time
from itertools import count
from queue import Empty
from typing import Any

from benchmarks.chaos.app import app
from benchmarks.chaos.queues import LETTER_BOX, QUEUE

# How late a copy may come (seconds); half of the copies come at once.
LATEST = 20.0


class Postman:
    """A thread that moves messages from the letter box to the workers' queue, in copies."""

    def __init__(self) -> None:
        self.letters = 0
        self.copies = 0
        self._late: list[tuple[float, int, Any]] = []
        self._numbers = count()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="postman", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Deliver nothing more."""
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        with app.connection_for_read() as connection:
            box = connection.SimpleQueue(LETTER_BOX)
            producer = connection.Producer(auto_declare=False)
            while not self._over.is_set():
                try:
                    letter = box.get(timeout=0.1)
                except Empty:
                    pass
                else:
                    self._receive(letter)
                self._deliver(producer)

    def _receive(self, letter: Any) -> None:
        letter.ack()
        self.letters += 1
        for _copy in range(random.choice((2, 3))):
            late = random.choice((0.0, random.uniform(0.1, LATEST)))
            moment = time.monotonic() + late
            heapq.heappush(self._late, (moment, next(self._numbers), letter))

    def _deliver(self, producer: Any) -> None:
        while self._late and self._late[0][0] <= time.monotonic():
            letter = heapq.heappop(self._late)[2]
            self.copies += 1
            properties = letter.properties
            producer.publish(
                letter.body,
                routing_key=QUEUE,
                exchange="",
                headers=letter.headers,
                content_type=letter.content_type,
                content_encoding=letter.content_encoding,
                correlation_id=properties.get("correlation_id"),
                reply_to=properties.get("reply_to"),
                serializer=None,
            )
