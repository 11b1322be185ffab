"""A Celery app on a broker of a test's own."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from celery import Celery


def configure(app: Celery, url: str) -> Celery:
    """Point an app at a broker; filesystem:///path needs no server."""
    app.conf.update(
        broker_url=url,
        broker_connection_retry_on_startup=True,
        accept_content=["json"],
        task_ignore_result=True,
        task_default_queue="oauth_accounts_tests",
        worker_hijack_root_logger=False,
    )
    if url.startswith("filesystem:"):
        folder = Path(urlsplit(url).path)
        for name in ("queue", "control"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        app.conf.broker_url = "filesystem://"
        app.conf.broker_transport_options = {
            "data_folder_in": str(folder / "queue"),
            "data_folder_out": str(folder / "queue"),
            "control_folder": str(folder / "control"),
        }
    return app
