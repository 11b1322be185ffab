"""oauth_accounts rebind: follow a provider that really moved, after asking twice."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.crypto import constant_time_compare

from oauth_accounts import places, rebind
from oauth_accounts.exceptions import TokenUndecryptable
from oauth_accounts.fields import Secret
from oauth_accounts.management.passes import require_provider
from oauth_accounts.management.progress import Progress
from oauth_accounts.models import Provider
from oauth_accounts.models.provider import binding_of
from oauth_accounts.places import Binding, Survey
from oauth_accounts.rebind import Moved


def add_arguments(parser: CommandParser) -> None:
    """Declare the options of rebind."""
    parser.add_argument("slug")
    parser.add_argument(
        "--from-issuer", metavar="ISSUER", help="The issuer before the move."
    )
    parser.add_argument(
        "--from-token-endpoint", metavar="URL", help="The one before the move."
    )
    parser.add_argument(
        "--no-input",
        action="store_false",
        dest="interactive",
        help="Ask nothing: both --from-... are needed, and --client-secret-stdin.",
    )
    parser.add_argument(
        "--client-secret-stdin",
        action="store_true",
        help="Read the client secret from a pipe; with --no-input.",
    )
    parser.add_argument("--dry-run", action="store_true", help="Say what would change.")


def run(
    command: BaseCommand,
    *,
    slug: str,
    from_issuer: str | None,
    from_token_endpoint: str | None,
    interactive: bool,
    client_secret_stdin: bool,
    dry_run: bool,
    **options: Any,
) -> None:
    """Show what has moved, have it confirmed, and seal everything for the new place."""
    require_provider(slug)
    if client_secret_stdin and interactive:
        raise CommandError("--client-secret-stdin goes with --no-input.")
    stated = _stated(from_issuer, from_token_endpoint)
    if stated is None and not interactive:
        raise CommandError("--no-input needs --from-issuer and --from-token-endpoint.")
    provider = Provider.objects.get(slug=slug)
    if provider.client_secret and not (interactive or client_secret_stdin or dry_run):
        raise CommandError("--no-input needs --client-secret-stdin.")
    with _bar(command, "Looking", provider) as bar:
        found = places.survey(provider, bar.show)
    old = stated or _guess(provider, found)
    for line in _describe(provider, found, old):
        command.stdout.write(line)
    if dry_run:
        return
    if interactive:
        _confirm(slug)
    secret = _ask_secret(command, provider, old, from_pipe=client_secret_stdin)
    reason = "addresses_changed" if old == places.binding_of(provider) else "moved"
    lost = rebind.settle(provider, old, secret=secret, reason=reason)
    for name in lost:
        command.stderr.write(f"{name} could not be read: enter it again in the admin.")
    with _bar(command, "Sealing", provider) as bar:
        moved = rebind.follow(provider, old, bar.show)
    _report(command, moved)


def _stated(issuer: str | None, token_endpoint: str | None) -> Binding | None:
    if issuer is None and token_endpoint is None:
        return None
    if issuer is None or token_endpoint is None:
        raise CommandError("--from-issuer and --from-token-endpoint go together.")
    return Binding(**binding_of(issuer, token_endpoint))


def _bar(command: BaseCommand, label: str, provider: Provider) -> Progress:
    return Progress(command.stdout, label, count=lambda: places.count(provider))


def _guess(provider: Provider, found: Survey) -> Binding:
    """Return where the provider was: as it was pinned, or as its rows say."""
    new = places.binding_of(provider)
    if (pinned := _pinned_binding(provider)) not in {None, new}:
        assert pinned is not None  # noqa: S101  # mypy does not see it
        return pinned
    others = [binding for binding in found.bindings() if binding != new]
    if len(others) > 1:
        raise CommandError(
            "Rows were sealed for several places:\n"
            + "\n".join(f"  {_words(binding)}" for binding in others)
            + "\nSay with --from-issuer and --from-token-endpoint which one moved here."
        )
    return others[0] if others else new


def _pinned_binding(provider: Provider) -> Binding | None:
    try:
        pinned = provider.pinned_values()
    except TokenUndecryptable:
        return None
    if pinned is None:
        return None
    return Binding(**binding_of(pinned["issuer"], pinned["token_endpoint"]))


def _describe(provider: Provider, found: Survey, old: Binding) -> Iterator[str]:
    new = places.binding_of(provider)
    yield f"Provider {provider.slug}"
    yield f"  from: {_words(old)}"
    yield f"  to:   {_words(new)}{' (the same)' if old == new else ''}"
    yield from _altered(provider)
    yield "Sealed for:"
    for binding in dict.fromkeys([old, new, *found.bindings()]):
        yield (
            f"  {found.accounts[binding]:>8} accounts, {found.others[binding]} "
            f"revocations and unread answers: {_words(binding)}"
        )
    yield f"  {found.unreadable:>8} rows that cannot be read"


def _altered(provider: Provider) -> Iterator[str]:
    """Tell what was changed by SQL, if anything was."""
    try:
        altered = provider.altered_columns()
        pinned = provider.pinned_values() or {}
    except TokenUndecryptable:
        yield "What was pinned cannot be read: no key opens it."
        return
    for name in altered:
        before, now = pinned.get(name, ""), getattr(provider, name)
        yield f"  {name}: {before or '(nothing)'} -> {now or '(nothing)'}"


def _words(binding: Binding) -> str:
    return f"issuer {binding.iss or '(none)'}, tokens from {binding.te or '(nowhere)'}"


def _confirm(slug: str) -> None:
    answer = input(
        "Its secrets and tokens are going to be sent to these addresses. Type the slug "
        "to go on: "
    )
    if answer.strip() != slug:
        raise CommandError("Nothing was changed.")


def _ask_secret(
    command: BaseCommand, provider: Provider, old: Binding, *, from_pipe: bool
) -> Secret | None:
    """Have the client secret entered; raises CommandError when it is not the stored one."""
    if provider.client_secret is None:
        return None
    entered = _read_secret(from_pipe=from_pipe)
    if not entered:
        raise CommandError("No client secret was given. Nothing was changed.")
    stored = rebind.stored_secret(
        provider, "client_secret", old, places.binding_of(provider)
    )
    if stored is None:
        command.stderr.write(
            "The stored client secret could not be read, so nothing was compared with "
            "it: what was entered now takes its place."
        )
    elif not constant_time_compare(entered.get_value(), stored.get_value()):
        raise CommandError(
            "This is not the client secret that is stored. Nothing was changed."
        )
    return entered


def _read_secret(*, from_pipe: bool) -> Secret:
    if from_pipe:
        return Secret(sys.stdin.readline().rstrip("\r\n"))
    return Secret(getpass.getpass("Client secret: "))


def _report(command: BaseCommand, moved: Moved) -> None:
    """Say what was done; raises CommandError while rows are left."""
    command.stdout.write(
        f"{moved.sealed} rows are sealed anew, {moved.enabled} accounts are in use again."
    )
    left = [
        f"{number} rows were sealed for another place and are left: {_words(binding)}"
        for binding, number in moved.left.most_common()
    ]
    if moved.unreadable:
        left.append(f"{moved.unreadable} rows cannot be read and are left.")
    if moved.busy:
        left.append(f"{moved.busy} rows were in use all the time: run this again.")
    if left:
        raise CommandError("\n".join(left))
