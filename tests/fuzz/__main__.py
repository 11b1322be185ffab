"""
Fuzz the targets with atheris, which is guided by what code an input reaches.

    python -m tests.fuzz [--seconds 15] [TARGET ...]

Each runs in a process of its own, beginning with the corpus. What breaks a target is left in
the working directory, as crash-...; it belongs into the corpus once it is mended.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from tests.fuzz.corpus import CORPUS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("target", nargs="*", choices=[*CORPUS, []], default=[])
    parser.add_argument("--seconds", type=int, default=15, help="for each target")
    options = parser.parse_args()
    command = [sys.executable, "-m", "tests.fuzz.one", str(options.seconds)]
    broken = [
        name
        for name in options.target or CORPUS
        if subprocess.run([*command, name], check=False).returncode
    ]
    sys.stderr.write(f"Broken: {', '.join(broken) or 'nothing'}.\n")
    return len(broken)


if __name__ == "__main__":
    sys.exit(main())
