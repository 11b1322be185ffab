"""
Bring the translations up to date with the texts of the package.

    python -m tests.languages [LANGUAGE ...]

Without a name all that there are; a language that there was not is begun. Nothing but
Python is needed for it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from babel import Locale, UnknownLocaleError

from tests.languages import catalogues
from tests.languages.extraction import extracted

PACKAGE = Path(__file__).resolve().parents[2] / "oauth_accounts"


def language(name: str) -> str:
    """Return the name of a language if there is one of that name."""
    try:
        Locale.parse(name)
    except (ValueError, UnknownLocaleError) as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return name


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.languages")
    parser.add_argument(
        "language", nargs="*", type=language, help="such as nl or pt_BR"
    )
    options = parser.parse_args()
    texts = extracted(PACKAGE)
    for name in options.language or catalogues.languages(PACKAGE):
        path = catalogues.path_of(PACKAGE, name)
        catalogue = catalogues.updated(catalogues.read(path, name), texts)
        catalogues.write(path, catalogue)
        left = len(catalogues.untranslated(catalogue))
        sys.stdout.write(f"{path}: {left} of {len(catalogue)} left to translate\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
