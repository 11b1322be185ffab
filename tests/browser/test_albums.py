"""The pictures of the documentation: all there, shown, and not too heavy."""

from __future__ import annotations

from tests.browser.albums import (
    ALBUMS,
    FOLDER_OF_PICTURES,
    LOOKS,
    SHOWN_ON,
    page_of_pictures,
)
from tests.browser.pages import LONG_PAGES, PAGES

PICTURES = [picture for album in ALBUMS for picture in album.pictures]
MAX_BYTES = 4_000_000


def test_pictures_are_of_pages_that_there_are():
    names = {page.name for page in (*PAGES, *LONG_PAGES)}
    assert {picture.page for picture in PICTURES} <= names


def test_each_picture_is_there_in_every_look_and_no_other(project_root):
    folder = project_root / FOLDER_OF_PICTURES
    wanted = {picture.file(look.name) for picture in PICTURES for look in LOOKS}
    assert {path.name for path in folder.glob("*.png")} == wanted


def test_pictures_are_light_enough_for_a_repository(project_root):
    files = (project_root / FOLDER_OF_PICTURES).glob("*.png")
    assert sum(path.stat().st_size for path in files) < MAX_BYTES


def test_documentation_shows_them_as_they_were_taken(project_root):
    assert (project_root / SHOWN_ON).read_text() == page_of_pictures()
