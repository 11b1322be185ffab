"""
`make screenshots`: pictures of the pages for the documentation, and the page that shows them.

Each is taken in light, in dark and 360 px wide, of the demo data of the moment.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from tests.browser import chromium, sites
from tests.browser.albums import (
    ALBUMS,
    FOLDER_OF_PICTURES,
    LOOKS,
    SHOWN_ON,
    Look,
    Picture,
    page_of_pictures,
)
from tests.browser.pages import LONG_PAGES, PAGES, Page

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / FOLDER_OF_PICTURES
# Of a palette: enough for pages of text, and a fifth of the bytes.
COLOURS = 64
MAX_HEIGHT = 1400


def main() -> int:
    """Take all pictures, or those whose page is named in the arguments."""
    wanted = set(sys.argv[1:])
    pictures = [
        picture
        for album in ALBUMS
        for picture in album.pictures
        if not wanted or picture.page in wanted
    ]
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="screens-") as folder,
        sites.serving(Path(folder)) as example,
        chromium.running() as browser,
    ):
        for number, path in enumerate(take(browser, example, pictures), 1):
            total = len(pictures) * len(LOOKS)
            size = path.stat().st_size // 1024
            sys.stdout.write(f"{number}/{total} {path.name} {size} KB\n")
    (ROOT / SHOWN_ON).write_text(page_of_pictures())
    return 0


def take(browser: Any, example: Any, pictures: list[Picture]) -> Iterator[Path]:
    """Take the pictures, and yield the files."""
    pages = {page.name: page for page in (*PAGES, *LONG_PAGES)}
    for look in LOOKS:
        tabs: dict[str, Any] = {}
        for picture in pictures:
            page = pages[picture.page]
            if page.who not in tabs:
                tabs[page.who] = _tab(browser, example, page.who, look)
            yield _take(tabs[page.who], example, page, picture, look)
        for tab in tabs.values():
            tab.context.close()


def _tab(browser: Any, example: Any, who: str, look: Look) -> Any:
    context = browser.new_context(
        color_scheme=look.scheme,
        reduced_motion="reduce",
        viewport={"width": look.width, "height": look.height},
    )
    tab = context.new_page()
    if who != sites.NOBODY:
        sites.log_in(tab, example, who)
    return tab


def _take(tab: Any, example: Any, page: Page, picture: Picture, look: Look) -> Path:
    page.open(tab, example)
    for opened in picture.opened:
        tab.locator(opened).first.click()
    # No field with a caret that blinks, no link that happens to be under the mouse.
    tab.evaluate("document.activeElement?.blur()")
    tab.mouse.move(0, 0)
    tab.evaluate("window.scrollTo(0, 0)")
    height = tab.evaluate("document.documentElement.scrollHeight")
    size = {"width": look.width, "height": max(look.height, min(height, MAX_HEIGHT))}
    if picture.from_selector:
        box = tab.locator(picture.from_selector).first.bounding_box()
        clip = {"x": 0, "y": box["y"], **size}
        clip["height"] = min(size["height"], height - box["y"])
    else:
        clip = {"x": 0, "y": 0, **size}
    path = FOLDER / picture.file(look.name)
    save(tab.screenshot(full_page=True, clip=clip, caret="hide"), path)
    return path


def save(png: bytes, path: Path) -> None:
    """Write a picture with a palette of its own."""
    image = Image.open(BytesIO(png)).convert("RGB")
    small = image.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=0)
    small.save(path, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
