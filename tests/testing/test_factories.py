"""What users of the app build their tests with."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from datetime import timedelta

import pytest
from django.db import transaction
from django.test import TestCase

from oauth_accounts import schedule
from oauth_accounts.exceptions import RefreshInTransaction
from oauth_accounts.fields import Sealed, Secret
from oauth_accounts.models import ConnectedAccount, Provider
from oauth_accounts.models.provider import missing_configuration
from oauth_accounts.testing.factories import ConnectedAccountFactory, ProviderFactory
from oauth_accounts.testing.inline import RefreshInlineMixin, refresh_inline
from oauth_accounts.testing.server import FakeProvider


class TestProviderFactory:
    def test_a_complete_and_valid_provider(self, db):
        provider = ProviderFactory()

        provider.full_clean()
        assert missing_configuration(provider) == []
        assert provider.client_secret != ProviderFactory().client_secret

    def test_the_host_can_be_given(self):
        provider = ProviderFactory.build(host="https://as.example")

        assert provider.issuer == "https://as.example"
        assert provider.token_endpoint == "https://as.example/token"


class TestConnectedAccountFactory:
    def test_a_fresh_token_by_itself_and_by_name(self, db):
        for account in (ConnectedAccountFactory(), ConnectedAccountFactory(fresh=True)):
            assert schedule.is_fresh(account, 1000)
            assert account.expires_at - account.issued_at == timedelta(hours=1)
            assert account.owner is None

    def test_an_expiring_token_is_valid_and_due(self, db):
        account = ConnectedAccountFactory(expiring=True)

        assert schedule.is_fresh(account, 0)
        assert not schedule.is_fresh(account, 120)
        assert account.refresh_due_at < account.expires_at
        assert account.refresh_due_at < account.issued_at + timedelta(hours=1)

    def test_an_expired_token(self, db):
        account = ConnectedAccountFactory(expired=True)

        assert not schedule.is_fresh(account, 0)
        assert account.last_refreshed_at == account.issued_at

    def test_tokens_are_sealed_at_once_and_revealed_as_given(self, db):
        account = ConnectedAccountFactory(access_token="known", refresh_token=None)

        assert isinstance(account.access_token, Sealed)
        assert account.reveal("access_token") == Secret("known")
        assert account.refresh_token is None
        read = ConnectedAccount.objects.get()
        assert read.get_access_token() == "known"
        assert read.refresh_due_at == read.expires_at

    def test_scopes_as_given_or_the_providers(self, db):
        assert ConnectedAccountFactory().scopes == ["read", "write"]
        assert ConnectedAccountFactory(scopes=["read"]).scopes == ["read"]
        assert ConnectedAccountFactory(scopes=None).scopes is None

    def test_an_owner(self, db, django_user_model):
        owner = django_user_model.objects.create(username="owner")

        account = ConnectedAccountFactory(owner=owner)

        assert owner.connected_accounts.get() == account

    def test_built_without_a_database(self):
        account = ConnectedAccountFactory.build(access_token="known", expires_in=10)

        assert account.reveal("access_token") == Secret("known")
        assert account._state.adding

    def test_a_batch(self, db):
        provider = ProviderFactory()

        ConnectedAccountFactory.create_batch(3, provider=provider)

        assert provider.accounts.count() == 3


def seeded(server):
    provider = Provider.objects.create(slug="fake", **server.as_provider_fields())
    access_token, refresh_token = server.issue()
    return ConnectedAccountFactory(
        provider=provider,
        access_token=access_token,
        refresh_token=refresh_token,
        expired=True,
    )


class RefreshInATestCase(TestCase):
    def setUp(self):
        self.server = self.enterContext(FakeProvider())
        self.account = seeded(self.server)

    def test_is_refused_as_it_is(self):
        with pytest.raises(RefreshInTransaction):
            self.account.get_access_token()

        assert self.server.token_requests == []

    def test_works_in_a_block(self):
        with refresh_inline():
            assert self.server.is_live(self.account.get_access_token())

    @refresh_inline()
    def test_works_in_a_decorated_test(self):
        assert self.server.is_live(self.account.get_access_token())
        with transaction.atomic():
            self.account.refresh()
        assert self.account.generation == 2


class RefreshInAMixedTestCase(RefreshInlineMixin, TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(FakeProvider())
        # The database is rolled back between the tests, the provider is not.
        cls.server.rotate = False
        super().setUpClass()

    @classmethod
    def setUpTestData(cls):
        cls.account = seeded(cls.server)
        cls.account.refresh()

    def test_works(self):
        self.account.refresh()
        assert self.account.generation == 2

    def test_works_again(self):
        self.account.refresh()
        assert self.account.generation == 2

    async def test_works_in_asynchronous_tests(self):
        assert self.server.is_live(await self.account.aget_access_token())


PROJECT = {
    "conftest.py": 'pytest_plugins = ["oauth_accounts.testing.fixtures"]',
    "test_project.py": """
        import pytest
        from django.conf import settings

        def test_a_token(connected_account, fake_provider, account_owner):
            assert fake_provider.is_live(connected_account.get_access_token())
            assert connected_account.owner == account_owner
            assert connected_account.provider == fake_provider.row
            assert fake_provider.token_requests == []
            assert settings.DEBUG

        def test_a_refresh_inside_the_test_s_transaction(connected_account, fake_provider):
            connected_account.refresh()
            assert fake_provider.is_live(connected_account.get_access_token())
            assert len(fake_provider.token_requests) == 1

        @pytest.mark.django_db(transaction=True)
        def test_a_refresh_with_real_transactions(connected_account, fake_provider):
            with connected_account.session() as session:
                assert session.get("me").status_code == 200
            connected_account.revoke(wait=True)
            assert len(fake_provider.revoked) == 2
    """,
    "test_owner.py": """
        import pytest

        @pytest.fixture
        def account_owner():
            return None

        def test_the_owner_can_be_chosen(connected_account):
            assert connected_account.owner is None
    """,
}


@pytest.mark.faces
class TestFixtures:
    """In a project of somebody else, in a process of its own."""

    @pytest.fixture
    def run(self, tmp_path, child_environment):
        for name, text in PROJECT.items():
            (tmp_path / name).write_text(textwrap.dedent(text))

        def pytest_(*arguments, settings="tests.settings"):
            command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
            return subprocess.run(
                [*command, "-p", "no:randomly", *arguments],
                cwd=tmp_path,
                env={
                    **child_environment,
                    "DJANGO_SETTINGS_MODULE": settings,
                    "OAUTH_ACCOUNTS_TEST_RUN": f"plugin{os.getpid()}",
                },
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )

        return pytest_

    def test_they_work_as_a_plugin(self, run):
        result = run()

        assert "4 passed" in result.stdout, result.stdout + result.stderr

    def test_an_owner_that_is_no_user_is_left_out(self, run):
        result = run("test_project.py", settings="tests.settings_organisation")

        assert "3 passed" in result.stdout, result.stdout + result.stderr

    def test_they_can_be_named_on_the_command_line(self, run, tmp_path):
        (tmp_path / "conftest.py").unlink()

        result = run("-p", "oauth_accounts.testing.fixtures", "test_owner.py")

        assert "1 passed" in result.stdout, result.stdout + result.stderr


def test_the_fake_provider_needs_no_factory_boy_and_no_django(tmp_path):
    """It runs in processes that have neither."""
    program = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(['django', 'factory', 'pytest']))\n"
        "import oauth_accounts.testing.server\n"
    )

    subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


def test_the_fixtures_need_no_factory_boy(child_environment):
    program = (
        "import sys\n"
        "sys.modules['factory'] = None\n"
        "import oauth_accounts.testing.fixtures\n"
    )

    subprocess.run(
        [sys.executable, "-c", program], check=True, timeout=60, env=child_environment
    )
