"""Both sites of the example with demo data, as processes; no worker changes what is seen."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from example_project.processes import Process, free_ports, stop
from example_project.provider_site import logins as provider_logins
from example_project.site import keys, logins
from example_project.stack import ROOT, answers

# Seconds, on a machine that is busy.
PATIENCE = 180.0

# Who looks at pages, and how they get in.
NOBODY, NEWCOMER, REGULAR, MEMBER, ADMIN = (
    "nobody newcomer regular member admin".split()
)
PASSWORDS = {
    MEMBER: (logins.MEMBER, logins.MEMBER_PASSWORD),
    REGULAR: (logins.REGULAR, logins.REGULAR_PASSWORD),
    NEWCOMER: (logins.USER, logins.PASSWORD),
    ADMIN: (logins.ADMIN, logins.ADMIN_PASSWORD),
}


def environment(folder: Path, site_port: int, provider_port: int) -> dict[str, str]:
    """Return what processes of the example are told: no database, no broker of others."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in {"DATABASE_URL", "CELERY_BROKER_URL", "DJANGO_SETTINGS_MODULE"}
    }
    return {
        **inherited,
        "EXAMPLE_STATE_DIR": str(folder),
        "EXAMPLE_SITE_PORT": str(site_port),
        "EXAMPLE_PROVIDER_PORT": str(provider_port),
    }


@dataclass(frozen=True, kw_only=True)
class Sites:
    """Where the sites are, and where they keep their things."""

    folder: Path
    site_port: int
    provider_port: int

    @property
    def base(self) -> str:
        """Address of the client site."""
        return f"http://127.0.0.1:{self.site_port}"

    @property
    def provider(self) -> str:
        """Address of the provider site."""
        return f"http://127.0.0.1:{self.provider_port}"

    def url(self, path: str) -> str:
        """Return the address of a path of the client site; one with a host stays."""
        return path if path.startswith("http") else self.base + path

    def process(self, name: str, module: str, *words: str, **more: str) -> Process:
        """Return a process of the example, not yet started."""
        told = environment(self.folder, self.site_port, self.provider_port)
        return Process(
            name=name,
            command=[sys.executable, "-m", f"example_project.{module}", *words],
            environment=told | more,
            folder=ROOT,
            log=self.folder / f"{name}.log",
        )

    def prepare(self) -> None:
        """Migrate both sites, register the client and write the demo data."""
        registered = keys.load(self.folder / "site-keys.json")
        back = f"{self.base}/accounts/connected/engine-notes/callback/"
        provider = self.process(
            "prepare-provider",
            "provider_site",
            "prepare",
            f"--client-id={registered.client_id}",
            f"--redirect-uri={back}",
            EXAMPLE_CLIENT_SECRET=registered.client_secret,
        )
        site = self.process("prepare-site", "site", "prepare")
        seed = self.process("seed", "site", "oauth_accounts", "seed-demo")
        for process in (provider, site):
            process.start()
        site.wait(PATIENCE)
        seed.start()
        for process in (seed, provider):
            process.wait(PATIENCE)


@contextmanager
def serving(folder: Path) -> Iterator[Sites]:
    """Serve both sites with demo data. folder: an empty one, for databases and logs."""
    site_port, provider_port = free_ports(2)
    sites = Sites(folder=folder, site_port=site_port, provider_port=provider_port)
    sites.prepare()
    running = [
        sites.process("site", "site", "serve"),
        sites.process("provider", "provider_site", "serve"),
    ]
    try:
        for process in running:
            process.start()
        for url in (sites.base, sites.provider):
            while not answers(url):
                for process in running:
                    process.check_alive()
        yield sites
    finally:
        stop(running)


def log_in(page: Any, sites: Sites, who: str) -> None:
    """Log in at the client site. who: one of PASSWORDS."""
    username, password = PASSWORDS[who]
    page.goto(f"{sites.base}/accounts/login/")
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("main").get_by_role("button", name="Log in").click()


def log_in_at_provider(page: Any) -> None:
    """Fill in the provider's log-in page, which is open."""
    page.get_by_label("Username").fill(provider_logins.DEMO_USER)
    page.get_by_label("Password").fill(provider_logins.DEMO_PASSWORD)
    page.get_by_role("button", name="Log in").click()
