"""A broker that needs no server: a folder with one file per message."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps, loads

SCHEME = "folder"


class Channel(filesystem.Channel):
    """
    kombu's filesystem transport, with messages that appear and vanish in one step.

    kombu's own opens a message under its final name and then writes it: a worker that
    looks in between takes an empty file, fails to read it and loses the message. It also
    moves messages through the system's temporary folder, which may be on another file
    system, where moving is copying.
    """

    def _put(self, queue: str, payload: dict[str, Any], **kwargs: Any) -> None:
        name = f"{time.time_ns()}_{uuid.uuid4()}.{queue}.msg"
        draft = Path(self.data_folder_out, f"{name}.draft")
        draft.write_text(dumps(payload))
        draft.rename(draft.with_suffix(""))

    def _get(self, queue: str) -> Any:
        for path in sorted(Path(self.data_folder_in).iterdir()):
            # As in kombu, a queue's name may have dots, the part before it has none.
            if path.name.partition(".")[2] != f"{queue}.msg":
                continue
            taken = path.with_name(f"{path.name}.taken")
            try:
                path.rename(taken)
            except FileNotFoundError:
                continue  # another worker was faster
            text = taken.read_text()
            taken.unlink()
            return loads(text)
        raise Empty


class Transport(filesystem.Transport):
    Channel = Channel


def options(folder: Path) -> dict[str, Any]:
    """Make the folders of a broker and return its options for Celery."""
    for name in ("messages", "control"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return {
        "data_folder_in": str(folder / "messages"),
        "data_folder_out": str(folder / "messages"),
        "control_folder": str(folder / "control"),
        "polling_interval": 0.3,
    }


TRANSPORT_ALIASES[SCHEME] = f"{__name__}:Transport"
