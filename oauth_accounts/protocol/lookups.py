"""
From a host's name to its addresses, within a deadline.

The system's resolver takes no timeout and may think for half a minute. So it is asked in a
thread that nobody has to wait for. Callers who want the same name wait for the same thread,
and there is a limit on threads: a resolver that hangs does not gather them without end.
"""

from __future__ import annotations

import os
import socket
import threading
from ipaddress import ip_address
from typing import Any

# For the name alone, where the call as a whole has no earlier deadline: a resolver of which
# one server of two is down needs 5 s.
LOOKUP_SECONDS = 10.0
MAX_THREADS = 32

# What socket.getaddrinfo() returns a list of.
AddressInfo = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]


class _Lookup:
    """One question to the resolver, and its answer once there is one."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.infos: list[AddressInfo] = []
        self.problem: str | None = "the lookup failed"

    def ask(self, key: tuple[str, int]) -> None:
        try:
            self.infos = _ask_system(*key)
            self.problem = None
        except (OSError, ValueError) as error:
            # Only its words: an exception that several threads raise mixes their frames.
            self.problem = str(error)
        finally:
            _under_way.pop(key, None)
            self.done.set()


_under_way: dict[tuple[str, int], _Lookup] = {}
# A child process has none of the threads of its parent.
os.register_at_fork(after_in_child=_under_way.clear)


def resolve(host: str, port: int, seconds: float) -> list[AddressInfo]:
    """
    Return the addresses of a host.

    seconds: how long to wait. Raises OSError, which TimeoutError is.
    """
    if _is_address(host):
        return _ask_system(host, port)
    lookup = _join_or_start((host, port))
    if not lookup.done.wait(seconds):
        raise TimeoutError("the lookup takes too long")
    if lookup.problem is not None:
        raise OSError(lookup.problem)
    return lookup.infos


def _join_or_start(key: tuple[str, int]) -> _Lookup:
    if len(_under_way) >= MAX_THREADS and key not in _under_way:
        raise OSError("too many lookups hang")
    mine = _Lookup()
    # One operation on a dict needs no lock, which a fork could leave locked.
    lookup = _under_way.setdefault(key, mine)
    if lookup is mine:
        _start(mine, key)
    return lookup


def _start(lookup: _Lookup, key: tuple[str, int]) -> None:
    thread = threading.Thread(
        target=lookup.ask, args=(key,), name="oauth_accounts.lookup", daemon=True
    )
    try:
        thread.start()
    except RuntimeError as error:
        _under_way.pop(key, None)
        lookup.problem = str(error)
        lookup.done.set()


def _is_address(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _ask_system(host: str, port: int) -> list[AddressInfo]:
    infos: Any = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(infos)
