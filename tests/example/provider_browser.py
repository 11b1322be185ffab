"""A browser at the provider site, and a client that talks to it, both by plain HTTP."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import requests
from bs4 import BeautifulSoup

from example_project.provider_site.logins import DEMO_PASSWORD, DEMO_USER
from oauth_accounts.testing.grants import s256

CLIENT_ID = "example-client"
CLIENT_SECRET = "made-up-secret-of-the-example"
REDIRECT_URI = "http://127.0.0.1:9/callback/"
VERIFIER = "v" * 43


class Browser:
    """Follows no redirect by itself, so that a test sees each."""

    def __init__(self, base):
        self.base = base
        self.http = requests.Session()
        self.http.trust_env = False

    def get(self, url):
        return self.http.get(urljoin(self.base, url), timeout=20, allow_redirects=False)

    def submit(self, page, button=None, **values):
        """Send the page's form as it stands, with the values and the button given."""
        form = BeautifulSoup(page.text, "html.parser").find("form")
        fields = {
            field["name"]: field.get("value", "")
            for field in form.find_all("input", attrs={"name": True})
        }
        pressed = {} if button is None else {button: "true"}
        return self.http.post(
            urljoin(page.url, form.get("action", "")),
            data=fields | values | pressed,
            timeout=20,
            allow_redirects=False,
        )

    def log_in(self, page):
        assert page.status_code == 302, page.text
        login = self.get(page.headers["Location"])
        return self.submit(login, username=DEMO_USER, password=DEMO_PASSWORD)


class Client:
    def __init__(self, base):
        self.base = base
        self.auth = (CLIENT_ID, CLIENT_SECRET)

    def authorization_url(self, **changes):
        query = {
            "response_type": "code",
            "client_id": CLIENT_ID,
            "redirect_uri": REDIRECT_URI,
            "scope": "profile notes",
            "state": "st",
            "code_challenge": s256(VERIFIER),
            "code_challenge_method": "S256",
        } | changes
        kept = {name: value for name, value in query.items() if value is not None}
        return f"{self.base}/o/authorize/?{urlencode(kept)}"

    def token(self, **form):
        url = f"{self.base}/o/token/"
        return requests.post(url, data=form, auth=self.auth, timeout=20)

    def redeem(self, code):
        return self.token(
            grant_type="authorization_code",
            code=code,
            redirect_uri=REDIRECT_URI,
            code_verifier=VERIFIER,
        )

    def refresh(self, token):
        return self.token(grant_type="refresh_token", refresh_token=token)

    def revoke(self, token):
        return requests.post(
            f"{self.base}/o/revoke_token/",
            data={"token": token, "token_type_hint": "refresh_token"},
            auth=self.auth,
            timeout=20,
        )

    def api(self, path, token):
        return requests.get(
            f"{self.base}/api/{path}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=20,
        )


def answer_in(response):
    """Return the query of the redirect back to the client."""
    location = response.headers["Location"]
    assert location.startswith(f"{REDIRECT_URI}?")
    pairs = parse_qsl(urlsplit(location).query)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)
