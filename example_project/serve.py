"""`python -m example_project.serve`: both sites with demo data, until Ctrl-C."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

from example_project import processes
from example_project.processes import ProcessFailed
from example_project.provider_site import logins as provider_logins
from example_project.site import logins
from example_project.stack import Stack, stopping

console = Console(highlight=False)

ADVICE = (
    "All providers but Engine Notes are made up and answer whatever they are asked. At each "
    "start they are as new."
)


def main() -> int:
    """Run until interrupted or terminated; return the exit code."""
    processes.heed_signals()
    ports = [
        int(os.environ.get("EXAMPLE_SITE_PORT", "8000")),
        int(os.environ.get("EXAMPLE_PROVIDER_PORT", "8001")),
    ]
    if taken := [port for port in ports if not processes.is_free(port)]:
        console.print(
            f"Something listens on port {taken[0]} already. Choose others with "
            "EXAMPLE_SITE_PORT and EXAMPLE_PROVIDER_PORT."
        )
        return 1
    state_dir = Path(os.environ.get("EXAMPLE_STATE_DIR", ".demo")).resolve()
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    stack = Stack(state_dir=state_dir, site_port=ports[0], provider_port=ports[1])
    try:
        serve(stack)
    except ProcessFailed as error:
        console.print(f"{error}\n{stack.tails()}", markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("Stopped.")
    return 0


def serve(stack: Stack) -> None:
    """Start everything, say where it is, and wait."""
    with stopping(stack):
        console.print("Starting ...")
        stack.prepare()
        console.print("Writing demo data ...")
        stack.seed()
        stack.start()
        console.print(addresses(stack))
        console.print(ADVICE)
        console.print(f"Mails to users: {stack.state_dir / 'mail'}")
        console.print(f"Logs and databases: {stack.state_dir}    Ctrl-C stops it all.")
        while True:
            stack.check_alive()
            time.sleep(1)


def addresses(stack: Stack) -> Table:
    """Return a table of what to open and how to log in."""
    # What is cut cannot be typed.
    address = Column("Address", no_wrap=True, min_width=len(f"{stack.site}/admin/"))
    longest = max(
        logins.PASSWORD, logins.ADMIN_PASSWORD, logins.MEMBER_PASSWORD, key=len
    )
    password = Column("Password", no_wrap=True, min_width=len(longest))
    table = Table("What", address, "Log in as", password, title="Running")
    table.add_row("Site, a new user", f"{stack.site}/", logins.USER, logins.PASSWORD)
    regular = (logins.REGULAR, logins.REGULAR_PASSWORD)
    table.add_row("Site, a few accounts", f"{stack.site}/", *regular)
    member = (logins.MEMBER, logins.MEMBER_PASSWORD)
    table.add_row("Site, every state", f"{stack.site}/", *member)
    admin = (logins.ADMIN, logins.ADMIN_PASSWORD)
    table.add_row("Its admin", f"{stack.site}/admin/", *admin)
    there = (provider_logins.DEMO_USER, provider_logins.DEMO_PASSWORD)
    table.add_row("Provider", f"{stack.provider}/", *there)
    return table


if __name__ == "__main__":
    sys.exit(main())
