from __future__ import annotations

import re
from pathlib import Path

# Read, not imported: the version must not depend on what happens to be installed.
_source = (Path(__file__).parent.parent / "oauth_accounts" / "__init__.py").read_text()

project = "django-oauth-accounts"
author = "The django-oauth-accounts contributors"
release = re.findall(r'__version__ = "(.+)"', _source)[0]
version = release

extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"{project} {release}"
