from __future__ import annotations

import pytest

from oauth_accounts.models import ConnectedAccount, Provider
from oauth_accounts.testing.factories import ConnectedAccountFactory, ProviderFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(django_user_model):
    return django_user_model.objects.create(username="owner")


class TestFilters:
    def slugs(self, queryset):
        return sorted(account.uid for account in queryset)

    @pytest.fixture
    def accounts(self, owner):
        one, two = ProviderFactory(slug="one"), ProviderFactory(slug="two")
        ConnectedAccountFactory(provider=one, owner=owner, uid="a", scopes=["read"])
        ConnectedAccountFactory(provider=two, owner=owner, uid="b", scopes=["read:all"])
        ConnectedAccountFactory(provider=one, uid="c", scopes=["read", "write"])
        ConnectedAccountFactory(provider=one, uid="d", scopes=None)
        return ConnectedAccount.objects

    def test_by_owner(self, accounts, owner):
        assert self.slugs(accounts.for_owner(owner)) == ["a", "b"]
        assert self.slugs(owner.connected_accounts.all()) == ["a", "b"]
        assert self.slugs(accounts.for_owner(None)) == ["c", "d"]

    def test_by_provider(self, accounts):
        assert self.slugs(accounts.all().provider("one")) == ["a", "c", "d"]
        assert self.slugs(accounts.all().provider("none")) == []

    def test_by_scopes_that_are_known_to_be_granted(self, accounts):
        assert self.slugs(accounts.with_scopes("read")) == ["a", "c"]
        assert self.slugs(accounts.with_scopes("read", "write")) == ["c"]
        assert self.slugs(accounts.with_scopes(["read", "write"])) == ["c"]
        assert self.slugs(accounts.with_scopes("read:all")) == ["b"]
        assert self.slugs(accounts.with_scopes()) == ["a", "b", "c", "d"]
        for wild in ("rea", "%", "_", "READ", "read%"):
            assert self.slugs(accounts.with_scopes(wild)) == []

    def test_by_use(self, accounts):
        accounts.filter(uid="a").update(status="revoked", refresh_due_at=None)
        accounts.filter(uid="c").update(status="needs_reauth", refresh_due_at=None)
        Provider.objects.filter(slug="two").update(enabled=False)

        assert self.slugs(accounts.usable()) == ["d"]
        assert self.slugs(accounts.need_attention()) == ["c"]

    def test_filters_read_on_as_a_sentence(self, accounts, owner):
        found = accounts.for_owner(owner).provider("one").with_scopes("read").usable()

        assert self.slugs(found) == ["a"]
