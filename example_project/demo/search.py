"""
Search files for strings: `python -m example_project.demo.search FOLDER`, as a process.

The strings, one a line, come on stdin, because arguments can be read by every user of a
machine. Prints how many files were read, and for each string how many of them hold it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def search_files(folder: Path, needles: Sequence[str]) -> tuple[int, list[int]]:
    """
    Return the number of files below a folder, and for each needle how many hold it.

    A process of its own reads them: closing a database file here would drop every lock
    that SQLite holds on it in this process, and its connection would not notice changes
    any more (fcntl locks belong to the process, not to the open file).
    """
    done = subprocess.run(
        [sys.executable, "-m", "example_project.demo.search", str(folder)],
        input="\n".join(needles),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    number, *hits = map(int, done.stdout.split())
    return number, hits


def count_hits(texts: Iterable[bytes], needles: Sequence[bytes]) -> list[int]:
    """Return for each needle how many of the texts hold it."""
    hits = [0] * len(needles)
    for text in texts:
        for position, needle in enumerate(needles):
            hits[position] += needle in text
    return hits


def read_files(folder: Path) -> list[bytes]:
    """Return what is in every file below a folder."""
    contents = []
    for path in sorted(folder.rglob("*")):
        try:
            if path.is_file():
                contents.append(path.read_bytes())
        except FileNotFoundError:
            continue  # a message that was taken meanwhile
    return contents


if __name__ == "__main__":
    found = read_files(Path(sys.argv[1]))
    wanted = [line.encode() for line in sys.stdin.read().split("\n")]
    print(len(found), *count_hits(found, wanted))
