"""Secrets of the client site: made once, kept in the state folder, never in the code."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path


def _new_key() -> str:
    return secrets.token_urlsafe(48)


@dataclass(frozen=True, kw_only=True)
class Keys:
    """What a real project takes from its secret store."""

    secret_key: str = field(default_factory=_new_key, repr=False)
    """Django's SECRET_KEY."""

    fernet_key: str = field(default_factory=_new_key, repr=False)
    """Seals the tokens. Losing it loses every connection."""

    client_id: str = field(
        default_factory=lambda: f"example-{secrets.token_hex(6)}", repr=False
    )
    """This site's name at the provider."""

    client_secret: str = field(default_factory=_new_key, repr=False)
    """This site's password at the provider."""


def load(path: Path) -> Keys:
    """
    Return the keys in a file that only this user can read, made at the first call.

    path: of the file; its folder is made too.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        _write_once(path, json.dumps(asdict(Keys()), indent=2))
    return Keys(**json.loads(path.read_text()))


def _write_once(path: Path, text: str) -> None:
    """Give the complete file its name; of several processes the first one wins."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.write(text)
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
