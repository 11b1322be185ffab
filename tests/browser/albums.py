"""Which pages the documentation shows, with what is said about them."""

from __future__ import annotations

from dataclasses import dataclass

SHOWN_ON = "docs/screens.md"
FOLDER_OF_PICTURES = "docs/images/screens"


@dataclass(frozen=True, kw_only=True)
class Look:
    """A colour scheme and a width, and what its pictures are called."""

    name: str
    scheme: str
    width: int
    height: int


LOOKS = (
    Look(name="light", scheme="light", width=1200, height=760),
    Look(name="dark", scheme="dark", width=1200, height=760),
    Look(name="narrow", scheme="light", width=360, height=740),
)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """
    A picture of a page.

    page: name in pages.py. opened: what is clicked first. from_selector: where the picture
    begins, when it is not at the top.
    """

    page: str
    title: str
    text: str
    opened: tuple[str, ...] = ()
    from_selector: str = ""
    name: str = ""

    def file(self, look: str) -> str:
        """Return the name of its file. look: of pictures.py."""
        return f"{self.name or self.page}-{look}.png"


@dataclass(frozen=True, kw_only=True)
class Album:
    """Pictures of one subject."""

    title: str
    pictures: tuple[Picture, ...]


ALBUMS = (
    Album(
        title="The user’s page",
        pictures=(
            Picture(
                page="accounts-empty",
                title="Nothing connected yet",
                text="What a new user sees.",
            ),
            Picture(
                page="accounts-wanted",
                title="A page asks for a connection",
                text="`@connection_required` sends the user here, and back afterwards.",
            ),
            Picture(
                page="accounts",
                title="Connected accounts",
                text="Several accounts of one provider, some of which need attention.",
            ),
            Picture(
                page="accounts",
                name="disconnect",
                title="Disconnecting asks first",
                text="What stops working, and what the service is told.",
                opened=(".oa-confirm > summary",),
            ),
            Picture(
                page="accounts-many",
                title="Many accounts",
                text="Details are folded away; a list leads to what needs somebody.",
            ),
            Picture(
                page="result",
                title="Connecting did not work",
                text="What went wrong, and the next step.",
            ),
        ),
    ),
    Album(
        title="The admin: an overview",
        pictures=(
            Picture(
                page="admin-overview",
                title="Connected accounts health",
                text="What lives, what fails, what waits, and whether anybody works on it.",
            ),
        ),
    ),
    Album(
        title="The admin: accounts",
        pictures=(
            Picture(
                page="admin-accounts-all",
                title="All accounts",
                text="State, reason and expiry, with filters that do not count.",
            ),
            Picture(
                page="admin-account-active",
                title="An account that lives",
                text="Everything about it but its tokens, and what can be done to it.",
            ),
            Picture(
                page="admin-account-undecryptable",
                title="An account whose key is missing",
                text="Nothing is lost: it works again when the key is back.",
            ),
            Picture(
                page="admin-account-reauth-invalid_grant",
                title="An account that needs reauthorisation",
                text="Why, and what to do about it.",
            ),
            Picture(
                page="admin-revoke",
                title="Revoking asks first",
                text="Each action says what it does to which accounts.",
            ),
            Picture(
                page="admin-bulk-action",
                title="What became of each account",
                text="The result stays, also of the actions that workers carry out.",
            ),
            Picture(
                page="admin-bulk-actions",
                title="All bulk actions",
                text="Who ordered what, and how far it is.",
            ),
            Picture(
                page="admin-delete",
                title="Deleting offers to revoke instead",
                text="Both take back the access; one keeps the history.",
            ),
        ),
    ),
    Album(
        title="The admin: providers",
        pictures=(
            Picture(
                page="admin-provider-issuer",
                title="Adding a provider",
                text="From its issuer, or by hand.",
            ),
            Picture(
                page="admin-provider-add",
                title="The form of a provider",
                text="In sections, each with what it is for.",
            ),
            Picture(
                page="admin-providers",
                title="All providers",
                text="Which ones work, and why the others do not.",
            ),
            Picture(
                page="admin-provider-octoforge",
                title="A provider",
                text="Its secret can be replaced, and not be read.",
            ),
            Picture(
                page="admin-provider-ledgerline",
                title="A provider that is paused",
                text="The circuit breaker is open because the client was refused.",
            ),
            Picture(
                page="admin-provider-resume",
                title="Resuming calls",
                text="What the pause was for, and what to mend first.",
            ),
            Picture(
                page="admin-provider-moving-maps",
                title="Addresses that are in doubt",
                text="Changed past the app: nothing is sent until somebody decides.",
            ),
            Picture(
                page="admin-provider-test",
                title="Testing a provider",
                text="What is going to be asked, before anything is.",
            ),
            Picture(
                page="admin-provider-compare",
                title="Comparing with its metadata",
                text="What the issuer says, and what is stored here.",
            ),
        ),
    ),
    Album(
        title="The admin: what happened",
        pictures=(
            Picture(
                page="admin-events-all",
                title="Account events",
                text="The audit trail, with reasons in words.",
            ),
            Picture(
                page="admin-notices",
                title="Notices",
                text="What became of each mail to an owner.",
            ),
            Picture(
                page="admin-revocations",
                title="Pending revocations",
                text="What providers said to them.",
            ),
            Picture(
                page="admin-attempts",
                title="Authorization attempts",
                text="Who is on the way to a provider, or was.",
            ),
            Picture(
                page="admin-statistics",
                title="Refresh statistics",
                text="Hour by hour, for each provider.",
            ),
        ),
    ),
)


def page_of_pictures() -> str:
    """Return the documentation's page that shows all of them."""
    lines = [
        "<!-- Written by make screenshots, from tests/browser/albums.py. -->",
        "# Screens",
        "",
        "What users and administrators see, with the demo data of `make serve`:",
        "in light, in dark, and on a screen of 360 px.",
    ]
    for album in ALBUMS:
        lines += ["", f"## {album.title}"]
        for picture in album.pictures:
            lines += ["", f"### {picture.title}", "", picture.text, ""]
            for look in LOOKS:
                source = f"images/screens/{picture.file(look.name)}"
                lines += [
                    f"```{{image}} {source}",
                    f":alt: {picture.title}, {look.name}",
                    f":width: {'36%' if look.name == 'narrow' else '100%'}",
                    "```",
                ]
    return "\n".join(lines) + "\n"
