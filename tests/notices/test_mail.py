"""The mails as a server takes them: read by `email.parser`, both parts, and their words."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime

import pytest
from bs4 import BeautifulSoup
from django.utils import translation

from oauth_accounts import letters, notices, reactions, reasons
from oauth_accounts.models import ConnectedAccount, Notice, Provider
from oauth_accounts.testing.factories import ConnectedAccountFactory
from tests.leaks.markers import disguises
from tests.notices.mailbox import parts
from tests.views.browser import Browser, reconnect_url

pytestmark = [pytest.mark.faces, pytest.mark.usefixtures("notices_on")]

LIST = "https://www.example.com/accounts/"


def only(mailbox):
    """Send what waits; return its text, its HTML and the mail."""
    assert notices.deliver_due().sent == 1
    [mail] = mailbox.mails
    text, html = parts(mail)
    return text, BeautifulSoup(html, "html.parser"), mail


def words(text: str) -> str:
    return " ".join(text.split())


class TestReauthRequired:
    def test_it_says_why_and_what_to_do(self, account, mailbox):
        reactions.require_reauth(account, "invalid_grant")
        text, html, mail = only(mailbox)
        assert mail["Subject"] == (
            "Please reconnect your GitHub account on www.example.com"
        )
        said = words(text)
        assert "can no longer use your account ada-l at GitHub" in said
        assert "The service no longer accepts the permission it gave." in said
        link = html.find("a", class_="oa-button")
        assert link.get_text() == "Reconnect GitHub"
        # Of several accounts there, this is the one to reconnect.
        assert link["href"].endswith(f"?connect=github#oa-{account.pk}")
        assert link["href"] in text

    def test_where_the_provider_is_switched_off_it_leads_to_the_list(
        self, account, github, mailbox
    ):
        reactions.require_reauth(account, "invalid_grant")
        Provider.objects.update(enabled=False)
        text, html, _mail = only(mailbox)
        assert "connect=" not in text + str(html)
        assert html.find("a", class_="oa-button").get_text() == (
            "See your connected accounts"
        )


class TestConnected:
    @pytest.fixture
    def browser(self, owner, server, provider):
        provider.name = "Fake & Sons"
        provider.save()
        return Browser(owner, server)

    def test_a_new_account(self, browser, mailbox, server):
        browser.connect()
        text, html, mail = only(mailbox)
        assert mail["To"] == "ada@example.com"
        assert mail["Subject"] == (
            "Your Fake & Sons account was connected on www.example.com"
        )
        assert "If you did not, disconnect the account" in words(text)
        assert "Fake & Sons" in text
        assert "Fake & Sons" in html.get_text()

    def test_the_same_account_again(self, browser, mailbox):
        account = browser.connect()
        notices.deliver_due()
        started = browser.post(reconnect_url(account))
        browser.get(browser.consent(started["Location"]))
        assert notices.deliver_due().sent == 1
        mail = mailbox.mails[1]
        assert "was reconnected on" in mail["Subject"]
        assert "again on" in words(parts(mail)[0])

    def test_no_token_code_or_state_is_in_it(self, browser, mailbox, monkeypatch):
        account = browser.connect()
        secrets = [
            account.reveal(name).get_value()
            for name in ("access_token", "refresh_token")
        ]
        only(mailbox)
        everything = mailbox.contents[0].decode()
        assert not [s for s in secrets for form in disguises(s) if form in everything]
        links = re.findall(r"https?://[^\s\"<>]+", "".join(parts(mailbox.mails[0])))
        assert links
        assert not [link for link in links if re.search(r"[?&](?!connect=)", link)]


class TestDisconnected:
    @pytest.mark.parametrize(
        ("reason", "said"),
        [
            ("by_owner", "change your password on www.example.com"),
            ("by_admin", "An administrator of www.example.com disconnected"),
            ("at_provider", "Access to the account ada-l was ended at GitHub."),
        ],
    )
    def test_its_words_depend_on_who_did_it(self, account, mailbox, reason, said):
        account.revoke(reason=reason)
        text, html, mail = only(mailbox)
        assert "was disconnected from www.example.com" in mail["Subject"]
        assert said in words(text)
        assert said in words(html.get_text())
        assert "?connect=github" in text

    def test_an_account_that_is_not_there_any_more(self, account, mailbox):
        account.delete()
        text, _html, mail = only(mailbox)
        assert mail["To"] == "ada@example.com"
        assert "The account ada-l at GitHub was disconnected" in words(text)
        assert Notice.objects.get().snapshot == {}

    def test_without_a_service_to_connect_to_nothing_is_promised(
        self, account, mailbox
    ):
        account.revoke()
        Provider.objects.update(enabled=False)
        text, html, _mail = only(mailbox)
        assert "connect it again" not in text + html.get_text()


class TestBothParts:
    @pytest.mark.parametrize("kind", [one.value for one in Notice.Kind])
    @pytest.mark.parametrize("reason", ["by_owner", "by_admin", "at_provider"])
    @pytest.mark.parametrize("enabled", [True, False])
    def test_they_say_the_same(self, account, kind, reason, enabled):
        account.provider.enabled = enabled
        notice = Notice(kind=kind, reason=reason)
        mail = letters.compose(notice, account)
        html = BeautifulSoup(mail.alternatives[0][0], "html.parser")
        link = html.find("a", class_="oa-button")
        # The text has the address beside the words, and a mark above the last paragraph.
        link.append(f" {link['href']}")
        shown = words(html.body.get_text(" "))
        assert words(mail.body.replace("\n-- \n", "\n")) == shown

    def test_nothing_is_loaded_from_anywhere(self, account):
        mail = letters.compose(Notice(kind="connected"), account)
        html = BeautifulSoup(mail.alternatives[0][0], "html.parser")
        assert not html.find_all(["img", "link", "script", "iframe"])
        assert "url(" not in str(html)

    def test_it_can_be_read_in_the_dark_and_at_the_width_of_a_telephone(self, account):
        html = letters.compose(Notice(kind="connected"), account).alternatives[0][0]
        assert "prefers-color-scheme: dark" in html
        assert '<meta name="color-scheme" content="light dark">' in html
        assert "max-width: 560px" in html

    def test_languages_that_run_from_right_to_left(self, account, settings):
        settings.LANGUAGE_CODE = "ar"
        html = letters.compose(Notice(kind="connected"), account).alternatives[0][0]
        assert '<html lang="ar" dir="rtl">' in html


class TestHeaders:
    def test_no_machine_answers_it(self, account, mailbox):
        account.revoke()
        _text, _html, mail = only(mailbox)
        assert mail["Auto-Submitted"] == "auto-generated"

    def test_a_mail_has_the_id_of_its_notice(self, account, mailbox):
        account.revoke()
        _text, _html, mail = only(mailbox)
        assert mail["Message-ID"] == f"<{Notice.objects.get().pk}@www.example.com>"
        assert parsedate_to_datetime(mail["Date"])

    def test_it_comes_from_where_the_site_says(self, account, mailbox, settings):
        settings.DEFAULT_FROM_EMAIL = "Site <site@example.com>"
        account.revoke()
        _text, _html, mail = only(mailbox)
        assert mail["From"] == "Site <site@example.com>"
        settings.OAUTH_ACCOUNTS_NOTICES_FROM = "accounts@example.com"
        again = letters.compose(Notice(kind="connected"), account)
        assert again.from_email == "accounts@example.com"
        assert mailbox.senders == ["site@example.com"]

    def test_a_name_cannot_add_headers_or_lines(self, github, owner, mailbox):
        evil = "x\r\nBcc: eve@example.net\r\n\r\nClick here\u2028now \u202ereversed"
        github.name = f"Git{evil}"
        github.save()
        account = ConnectedAccountFactory(provider=github, owner=owner, label=evil)
        account.revoke()
        text, _html, mail = only(mailbox)
        assert mail["Bcc"] is None
        assert mailbox.recipients == [["ada@example.com"]]
        assert "\n" not in mail["Subject"]
        assert "\u202e" not in text
        assert "\nClick" not in text

    def test_a_name_is_shown_and_not_run(self, github, owner, mailbox):
        label = '<img src="https://evil.example/x">'
        account = ConnectedAccountFactory(provider=github, owner=owner, label=label)
        account.revoke()
        text, html, _mail = only(mailbox)
        assert label in text
        assert html.find("img") is None
        assert label in html.get_text()

    def test_a_long_name_is_cut(self, github, owner):
        github.name = "G" * 120
        account = ConnectedAccountFactory(provider=github, owner=owner, label="x" * 250)
        mail = letters.compose(Notice(kind="connected"), account)
        assert len(mail.subject) <= letters.MAX_SUBJECT
        assert "x" * 101 not in mail.body


class TestLanguages:
    def test_the_language_of_the_reader(self, account, settings, mailbox):
        settings.OAUTH_ACCOUNTS_GET_NOTICE_LANGUAGE = lambda account: "de"
        reactions.require_reauth(account, "invalid_grant")
        with translation.override("en"):
            text, html, mail = only(mailbox)
            assert translation.get_language() == "en"
        assert mail["Subject"].startswith("Bitte ")
        assert "GitHub" in mail["Subject"]
        assert html.html["lang"] == "de"
        with translation.override("de"):
            reason = reasons.describe_account("invalid_grant")
        assert reason in words(text)

    @pytest.mark.parametrize("language", ["de", "es", "fr", "ja"])
    @pytest.mark.parametrize("kind", [one.value for one in Notice.Kind])
    def test_nothing_is_left_in_english(self, account, settings, language, kind):
        notice = Notice(kind=kind, reason="by_owner")
        english = letters.compose(notice, account)
        settings.OAUTH_ACCOUNTS_GET_NOTICE_LANGUAGE = lambda account: language
        mail = letters.compose(notice, account)
        assert mail.subject != english.subject
        said = set(english.body.splitlines()) & set(mail.body.splitlines())
        assert not [line for line in said if line.strip(" -") and "://" not in line]

    @pytest.mark.parametrize("answer", [None, "", "xx-klingon", "../../etc", 5])
    def test_the_site_s_language_stands_in_for_one_it_does_not_have(
        self, account, settings, answer
    ):
        settings.LANGUAGE_CODE = "fr"
        settings.OAUTH_ACCOUNTS_GET_NOTICE_LANGUAGE = lambda account: answer
        assert letters.language_of(account) == "fr"

    def test_times_are_in_the_zone_of_the_site(self, account, mailbox):
        account.revoke()
        text, _html, _mail = only(mailbox)
        assert re.search(r"\((CET|CEST)\)", text)


class TestPages:
    def test_a_project_without_these_pages_gets_links_to_itself(
        self, account, settings
    ):
        settings.ROOT_URLCONF = "django.contrib.auth.urls"
        context = letters.get_context(Notice(kind="connected"), account)
        assert context["accounts_url"] == "https://www.example.com/"

    def test_a_project_may_have_its_own_words(self, account, settings, tmp_path):
        folder = tmp_path / "oauth_accounts" / "mail"
        folder.mkdir(parents=True)
        (folder / "connected_subject.txt").write_text("Own\nwords for {{ site }}\n")
        engine = {**settings.TEMPLATES[0], "DIRS": [str(tmp_path)]}
        settings.TEMPLATES = [engine]
        mail = letters.compose(Notice(kind="connected"), account)
        assert mail.subject == "Own words for www.example.com"

    def test_the_account_is_shown_by_its_id_where_it_has_no_label(self, account):
        ConnectedAccount.objects.update(label="")
        account.refresh_from_db()
        mail = letters.compose(Notice(kind="connected"), account)
        assert "The account 1 at GitHub" in mail.body
