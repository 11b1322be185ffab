"""A network between a client and its server, as it fails in real life."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class Link:
    """A way to a server that can be cut, and is there again later."""

    def __init__(self, host, port):
        self.server = host, port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.open = []
        self.is_cut = False
        self.threads = [threading.Thread(target=self.serve)]
        self.threads[0].start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.is_cut:
                client.close()
                continue
            server = socket.create_connection(self.server)
            self.open += [client, server]
            for pair in ((client, server), (server, client)):
                thread = threading.Thread(target=self.copy, args=pair)
                self.threads.append(thread)
                thread.start()

    def copy(self, source, sink):
        try:
            while data := source.recv(65_536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def cut(self):
        self.is_cut = True
        while self.open:
            one = self.open.pop()
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def mend(self):
        self.is_cut = False

    def stop(self):
        self.cut()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join()
