"""oauth_accounts rotate-keys, and what status says of keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from oauth_accounts import connect, keyring, rotate
from oauth_accounts.management.arguments import positive
from oauth_accounts.management.progress import Progress
from oauth_accounts.management.stopping import stoppable
from oauth_accounts.models import purge_unread_answers
from oauth_accounts.rotate import Count


def add_arguments(parser: CommandParser) -> None:
    """Declare the options of rotate-keys."""
    parser.add_argument(
        "--dry-run", action="store_true", help="Open everything; write nothing."
    )
    parser.add_argument(
        "--batch-size",
        type=positive,
        default=rotate.BATCH_SIZE,
        help="Rows in one transaction.",
    )


def run(
    command: BaseCommand, *, dry_run: bool, batch_size: int, **options: Any
) -> None:
    """Re-encrypt under the newest key, and fail while something is under another one."""
    if not dry_run:
        # What is over needs no new key, and must not stand in the way of dropping one.
        connect.purge_attempts()
        purge_unread_answers()
    _write(command, "Before:", rotate.count_keys())
    with (
        stoppable(command) as stop,
        Progress(command.stderr, "Re-encrypting", count=rotate.count_rows) as bar,
    ):

        def show(done: int) -> None:
            bar.show(done)
            # Between two batches, and not wherever the signal finds it.
            stop.check()

        with stop.held():
            result = rotate.run(batch_size=batch_size, dry_run=dry_run, progress=show)
    words = "would be" if dry_run else "were"
    command.stdout.write(f"{result.resealed} rows {words} re-encrypted.")
    left: list[Count] = []
    if not dry_run:
        after = rotate.count_keys()
        _write(command, "After:", after)
        left = [count for count in after if count.age != "newest"]
    _complain(sum(count.count for count in left), result.undecryptable)


def _write(command: BaseCommand, title: str, counts: list[Count]) -> None:
    command.stdout.write(title)
    for count in counts:
        words = f"under {count.key_id} ({count.age})" if count.key_id else "do not open"
        command.stdout.write(f"  {count.count:>8} {count.label} {words}")
    if not counts:
        command.stdout.write("  nothing is sealed")
    # A pipe is a buffer, and the rest may take a while.
    command.stdout.flush()


def _complain(left: int, undecryptable: int) -> None:
    if undecryptable:
        raise CommandError(
            f"{undecryptable} rows do not open with any key of FERNET_KEYS. Add the key "
            "they were sealed with to the end of the list and run this again; docs: "
            "Sealing and keys, A missing key."
        )
    if left:
        raise CommandError(
            f"{left} rows are not under the newest key: they were written meanwhile, by "
            "processes whose FERNET_KEYS begins with another one. Restart those and run "
            "this again."
        )


def lines(counts: Iterable[tuple[str, int]]) -> list[str]:
    """Return what status says of the accounts under each key. counts: by key id."""
    ring = keyring.current()
    found = sorted(counts, key=lambda item: (rotate.age_of(item[0], ring), item[0]))
    said = [
        f"  {count:>8} under {key_id or '-'} ({rotate.age_of(key_id, ring)})"
        for key_id, count in found
    ]
    unknown = sum(n for key_id, n in found if rotate.age_of(key_id, ring) == "unknown")
    if unknown:
        said.append(
            f"{unknown} accounts are under keys that FERNET_KEYS does not have."
        )
    return said and ["Keys of what accounts hold:", *said]
