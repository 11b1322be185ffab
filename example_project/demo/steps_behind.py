"""What happens behind the pages: refresh in the background, ciphertext, revocation."""

from __future__ import annotations

import time

import requests

from example_project.demo import database
from example_project.demo.browser import Page
from example_project.demo.report import Progress, mask
from example_project.demo.search import count_hits, search_files
from example_project.demo.visit import StepFailed, Visit, now, require
from example_project.site import keys, logins

REFRESHES = 2
REFRESH_TIMEOUT = 60.0
DELIVERY_TIMEOUT = 30.0
# A token this young stays valid, and is not refreshed, while the next steps are taken.
FRESH_SECONDS = 14


def be_refreshed(visit: Visit, progress: Progress) -> str:
    """Wait, without opening any page, until beat and worker have refreshed twice."""
    assert visit.first_expiry is not None
    first, started = database.account(), time.monotonic()

    def done() -> bool:
        account = database.account()
        left = (account.expires_at - now()).total_seconds()
        progress(f"generation {account.generation}, token lives {left:.0f} s more")
        refreshes = account.generation - first.generation
        return refreshes >= REFRESHES and now() > visit.first_expiry

    visit.stack.wait_for("two refreshes", done, REFRESH_TIMEOUT)
    account = database.account()
    require(account.status == "active", f"the account is {account.status}")
    require(account.last_refreshed_at > first.issued_at, "no date of the last refresh")
    sweeps = visit.log_lines("worker", "refresh_due_accounts", "succeeded")
    require(sweeps > 0, "the worker's log has no sweep")
    return (
        f"generation {first.generation} → {account.generation} in "
        f"{time.monotonic() - started:.0f} s, last refresh "
        f"{account.last_refreshed_at:%H:%M:%S} UTC; sweeps in the worker's log: {sweeps}"
    )


def be_ciphertext(visit: Visit, progress: Progress) -> str:
    """Read the columns past the ORM, and open them with the key."""
    account = database.account()
    visit.note_tokens(account)
    raw = database.raw_columns(account.pk)
    for name, stored in raw.items():
        require(stored.startswith(b"gAAAA"), f"{name} is no Fernet token")
        require(visit.tokens[name].encode() not in stored, f"{name} is in clear")
    known = database.provider_knows(visit.stack.state_dir, visit.tokens["access_token"])
    require(known, "what the key opens is not a token that the provider issued")
    seen = "; ".join(f"{n}: {v[:9].decode()}… ({len(v)})" for n, v in raw.items())
    opened = mask(visit.tokens["access_token"])
    return f"{seen}. With the key: {opened}, whose hash is in the provider's database"


def be_nowhere(visit: Visit, progress: Progress) -> str:
    """Search every table, file, message and log for the tokens in clear."""
    progress("searching")
    folder = visit.stack.state_dir
    # Without something that is there to be found, a broken search would find nothing too.
    control = keys.load(folder / "site-keys.json").client_id
    needles = [control, *visit.every_token]
    cells = list(database.cells())
    there, *in_cells = count_hits(cells, [needle.encode() for needle in needles])
    require(there, "the search of the database does not work")
    number, (there, *in_files) = search_files(folder, needles)
    require(there, "the search of the files does not work")
    hits = sum(in_cells) + sum(in_files)
    require(hits == 0, f"{hits} places hold a token in clear")
    return (
        f"{len(in_files)} tokens: 0 hits in {len(cells)} database values and {number} "
        f"files (logs, database files, messages); a control word: {there} files"
    )


def be_revoked(visit: Visit, progress: Progress) -> str:
    """Revoke in the admin, by its action and the page that asks again."""
    revoked_url = f"{visit.stack.site}/admin/oauth_accounts/connectedaccount/"
    login = f"{visit.stack.site}/admin/login/?next=/admin/"
    visit.admin.log_in(login, logins.ADMIN, logins.ADMIN_PASSWORD)
    visit.stack.wait_for("a fresh token", lambda: _is_fresh(progress), REFRESH_TIMEOUT)
    before = database.account()
    visit.note_tokens(before)
    require(visit.call_api().status_code == 200, "the token does not work beforehand")
    page = visit.admin.open(revoked_url)
    question = _choose_revoke(visit, page, str(before.pk))
    button = question.form(lambda form: form.find("input", {"name": "action"}))
    answer = visit.admin.submit(question, button)
    done = visit.admin.open(answer.location)
    result = done.soup.select_one(".oauth-accounts-results tbody tr")
    said = " ".join(result.get_text(" ").split()) if result else "nothing"
    account = database.account()
    require(account.status == "revoked", f"{account.status}; the admin says: {said}")
    require("stopped here" in said, f"the admin says: {said}")
    return (
        f"the admin says: {said} – Row: {account.status}, {account.status_reason}, "
        f"tokens {account.access_token}"
    )


def _is_fresh(progress: Progress) -> bool:
    left = (database.account().expires_at - now()).total_seconds()
    progress(f"waiting for a fresh token, this one lives {left:.0f} s more")
    return left > FRESH_SECONDS


def _choose_revoke(visit: Visit, page: Page, key: str) -> Page:
    """Tick the account, choose the action, and return the page that asks again."""
    form = page.form(lambda form: form.find("select", {"name": "action"}))
    for option in form.find("select", {"name": "action"}).find_all("option"):
        if "revoke" in option["value"]:
            choice = {"action": option["value"], "_selected_action": key, "index": "0"}
            return visit.admin.submit(page, form, **choice)
    raise StepFailed("the admin has no action that revokes")


def be_delivered(visit: Visit, progress: Progress) -> str:
    """Wait until the worker has told the provider."""
    key, started = database.account().pk, time.monotonic()

    def done() -> bool:
        statuses = [row.status for row in database.revocations(key)]
        progress(f"outbox: {', '.join(statuses)}")
        return bool(statuses) and statuses[-1] != "pending"

    visit.stack.wait_for("the delivery", done, DELIVERY_TIMEOUT)
    row = database.revocations(key).last()
    require(row.status == "confirmed", f"outbox: {row.status} {row.last_error}")
    require(row.refresh_token is None, "the outbox keeps the tokens")
    lines = visit.log_lines("worker", "deliver_revocations", "received")
    asked = visit.log_lines("provider", "POST /o/revoke_token/", " 200 ")
    require(lines and asked, "the logs know nothing of it")
    return (
        f"outbox row: {row.status} after {time.monotonic() - started:.0f} s, "
        f"{row.attempts} try, tokens wiped; {asked} × POST /o/revoke_token/ → 200"
    )


def be_refused(visit: Visit, progress: Progress) -> str:
    """Try the old tokens at the provider, past oauth_accounts."""
    account = database.account()
    answer = visit.call_api()
    left = (account.expires_at - now()).total_seconds()
    require(answer.status_code == 401, f"the API answered {answer.status_code}")
    require(left > 0, "the token has expired meanwhile, which proves nothing")
    registered = keys.load(visit.stack.state_dir / "site-keys.json")
    refresh = requests.post(
        f"{visit.stack.provider}/o/token/",
        data={
            "grant_type": "refresh_token",
            "refresh_token": visit.tokens["refresh_token"],
        },
        auth=(registered.client_id, registered.client_secret),
        timeout=30,
    )
    code = refresh.json().get("error")
    require(code == "invalid_grant", f"the refresh token: {refresh.status_code}")
    return (
        f"API: 401 {answer.headers['WWW-Authenticate'].partition(',')[0]}…, for a token "
        f"that had {left:.0f} s to live; refresh token: {refresh.status_code} {code}"
    )
