"""What the user does: log in, connect, consent, use."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

from example_project.demo import database
from example_project.demo.report import Progress, mask
from example_project.demo.visit import Visit, now, require
from example_project.provider_site import logins as provider_logins
from example_project.site import logins

CONNECTED = "/accounts/connected/"


def log_in(visit: Visit, progress: Progress) -> str:
    """Log in at the client site."""
    site = visit.stack.site
    url = f"{site}/accounts/login/?next={CONNECTED}"
    back = visit.user.log_in(url, logins.USER, logins.PASSWORD)
    require(back.location == site + CONNECTED, f"sent to {back.location}")
    visit.page = visit.user.open(back.location)
    cookies = ", ".join(sorted(visit.user.http.cookies.keys()))
    return f"{logins.USER} is logged in at {site}; cookies: {cookies}"


def connect(visit: Visit, progress: Progress) -> str:
    """Press the button on the connected-accounts page."""
    assert visit.page is not None
    form = visit.page.form(lambda form: "/connect/" in (form.get("action") or ""))
    button = " ".join(form.button.get_text().split())
    visit.page = visit.user.submit(visit.page, form)
    target = urlsplit(visit.page.location)
    query = parse_qs(target.query)
    require(visit.page.location.startswith(visit.stack.provider), "sent elsewhere")
    require(query["response_type"] == ["code"], "not the code flow")
    require(query["code_challenge_method"] == ["S256"], "no PKCE with S256")
    require(query["redirect_uri"] == [visit.stack.redirect_uri], "another redirect URI")
    require(query["scope"][0].split()[0] == "openid", "no ID token is asked for")
    return (
        f"“{button}” → {visit.page.status} to {target.netloc}{target.path} with "
        f"response_type=code, PKCE S256, state {mask(query['state'][0])}, nonce "
        f"{mask(query['nonce'][0])}"
    )


def consent(visit: Visit, progress: Progress) -> str:
    """Log in at the provider, which is another site, and allow what is asked for."""
    assert visit.page is not None
    provider = visit.stack.provider
    login = visit.user.open(visit.page.location, status=302)
    user, password = provider_logins.DEMO_USER, provider_logins.DEMO_PASSWORD
    back = visit.user.log_in(login.location, user, password)
    question = visit.user.open(back.location)
    asked = [item.get_text(strip=True) for item in question.soup.main.find_all("li")]
    visit.page = visit.user.submit(question, question.form(), allow="true")
    query = parse_qs(urlsplit(visit.page.location).query)
    require(visit.page.location.startswith(visit.stack.redirect_uri), "sent elsewhere")
    require(query.get("iss") == [provider], "the answer does not say who it is from")
    return (
        f"{user} is logged in at {provider} and was asked to allow: {'; '.join(asked)} → "
        f"back with code {mask(query['code'][0])} and iss"
    )


def come_back(visit: Visit, progress: Progress) -> str:
    """Return through the callback, which stores the account."""
    assert visit.page is not None
    callback = visit.user.open(visit.page.location, status=302)
    replayed = visit.user.open(visit.page.location, status=400)
    visit.page = visit.user.open(callback.location)
    account = database.account()
    visit.first_expiry = account.expires_at
    visit.note_tokens(account)
    require(account.status == "active", f"the account is {account.status}")
    require(str(account) in visit.page.text, "the page does not show the account")
    life = (account.expires_at - account.issued_at).total_seconds()
    return (
        f"{account} at {account.provider} is active, scopes {' '.join(account.scopes)}, "
        f"token lives {life:.0f} s; the same callback again: {replayed.status}"
    )


def use(visit: Visit, progress: Progress) -> str:
    """Open the page that calls the API through account.session()."""
    page = visit.user.open(f"{visit.stack.site}/notes/")
    shown = page.soup.find(id="answer")
    require(shown is not None, f"the page shows no answer: {page.text[:200]}")
    answer = json.loads(shown.get_text())
    require(answer["owner"] == provider_logins.DEMO_USER, "notes of somebody else")
    return (
        f"GET api/notes/ → {len(answer['notes'])} notes of {answer['owner']}: "
        f"“{answer['notes'][0]['text']}” …"
    )


def use_again(visit: Visit, progress: Progress) -> str:
    """Open the page again, now that the first token is dead."""
    assert visit.first_expiry is not None
    late = (now() - visit.first_expiry).total_seconds()
    require(late > 0, "the first token has not expired yet")
    return f"{use(visit, progress)} ({late:.0f} s after the first token expired)"


def see_revoked(visit: Visit, progress: Progress) -> str:
    """Look at the connected-accounts page and call the API through the account."""
    page = visit.user.open(visit.stack.site + CONNECTED)
    account = database.account()
    card = page.soup.find(id=f"oa-{account.pk}").find_parent("article")
    parts = [card.header, *card.find_all("p", recursive=False)]
    words = " ".join(" ".join(part.get_text(" ") for part in parts).split())
    require("Disconnected" in words, f"the page says: {words}")
    refused = visit.user.open(f"{visit.stack.site}/notes/", status=502)
    problem = refused.soup.find(role="alert").p.get_text(strip=True)
    return f"the page says “{words}”, account.session() “{problem}”"
