"""The administrator's form of a provider: secrets go in and never come out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from oauth_accounts import guidance as words
from oauth_accounts import keyring, moving
from oauth_accounts.fields import Secret
from oauth_accounts.inputs import DescriptionsField, LinesField, SecretField
from oauth_accounts.models import Provider
from oauth_accounts.models.provider_columns import (
    ENDPOINT_FIELDS,
    PARAMETER_FIELDS,
    PINNED_FIELDS,
)

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

    _ModelForm = forms.ModelForm[Provider]
else:
    _ModelForm = forms.ModelForm

SECRET_FIELDS = ("client_secret", "previous_client_secret", "private_key")
LINKS = (*ENDPOINT_FIELDS, "grants_url")
WIDE = {"class": "vLargeTextField"}


class ProviderForm(_ModelForm):
    """
    Create or change a provider.

    A blank secret keeps the stored one. Whoever changes an address that secrets are sent
    to has to know the secrets (CVE-2026-19541), so they are asked for again; and while
    tokens are stored, what is entered has to be the stored secret itself, because not
    every address is part of what tokens are sealed with. Addresses that were changed by
    SQL are taken for right by the same rules, and on demand only.
    """

    scopes = LinesField(label=_("Scopes"), empty=[], help_text=words.SCOPES)
    scope_descriptions = DescriptionsField(
        label=_("Scopes in words"), help_text=words.WORDS
    )
    # Not text: a form would strip the blank, which nearly every provider wants.
    scope_separator = forms.ChoiceField(
        label=_("Scope separator"),
        choices=words.SEPARATORS,
        initial=" ",
        help_text=words.SEPARATOR,
    )
    code_challenge_methods_supported = LinesField(
        label=_("PKCE methods"), help_text=words.CHALLENGES
    )
    new_client_secret = SecretField(_("Client secret"))
    new_previous_client_secret = SecretField(_("Previous client secret"))
    new_private_key = SecretField(_("Private key"), multiline=True)
    remove_client_secret = forms.BooleanField(
        label=_("Remove the client secret"), required=False
    )
    remove_previous_client_secret = forms.BooleanField(
        label=_("Remove the previous client secret"), required=False
    )
    remove_private_key = forms.BooleanField(
        label=_("Remove the private key"), required=False
    )

    accept_addresses = forms.BooleanField(
        label=_("The addresses are right as they are"),
        required=False,
        help_text=_("Secrets, tokens and users are going to be sent there."),
    )
    # Shown when it is needed: after a first submit, which has saved nothing.
    confirm_move = forms.BooleanField(label=_("Save it all the same"), required=False)

    class Meta:
        model = Provider
        # The admin's fieldsets name the fields; these are never among them.
        exclude = SECRET_FIELDS
        help_texts = words.HELP
        widgets = {
            **{name: forms.TextInput(attrs=WIDE) for name in LINKS},
            **{name: forms.Textarea(attrs={"rows": 3}) for name in PARAMETER_FIELDS},
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.confirmed: set[str] = set()
        self.guessed: list[str] = []
        self.stake: moving.Stake | None = None
        self._altered = moving.altered_addresses(self.instance)
        if not self._altered:
            del self.fields["accept_addresses"]
        elif moving.holds_tokens(self.instance):
            self.fields["accept_addresses"].help_text = words.ACCEPTED_WITH_SECRET
        for name in SECRET_FIELDS:
            stored = getattr(self.instance, name) is not None
            field = self.fields[f"new_{name}"]
            field.help_text = (
                _("One is stored. Leave empty to keep it.")
                if stored
                else _("None is stored.")
            )
            if not stored:
                del self.fields[f"remove_{name}"]
        if method := self.fields.get("token_endpoint_auth_method"):
            method.choices = [  # type: ignore[attr-defined]
                choice
                for choice in Provider.ClientAuth.choices
                # The client cannot sign assertions yet.
                if choice[0] != Provider.ClientAuth.PRIVATE_KEY_JWT
            ]

    @property
    def changed_secrets(self) -> list[str]:
        """The names of the secrets that were removed, or entered and not just confirmed."""
        names = [name for name, _secret in self._new_secrets()]
        return [name for name in names if name not in self.confirmed]

    @property
    def changed_endpoints(self) -> list[str]:
        """The names of the changed columns that say where secrets are sent."""
        altered = self._altered if self.accepts_addresses else {}
        return [n for n in ENDPOINT_FIELDS if n in self.changed_data or n in altered]

    @property
    def was_in_doubt(self) -> bool:
        """Whether addresses had been changed by SQL when the form was made."""
        return bool(self._altered)

    @property
    def accepts_addresses(self) -> bool:
        """Whether the user vouches for addresses that were changed by SQL."""
        return bool(self.cleaned_data.get("accept_addresses"))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self._altered and not self.accepts_addresses:
            self._require_untouched_or_put_back()
        elif self.changed_endpoints and moving.holds_tokens(self.instance):
            self._require_the_stored_secrets()
        elif self.changed_endpoints:
            self._require_stored_secrets_again()
        self._check_issuer()
        if self.changed_secrets or self._pins():
            self._require_keys()
        self._require_consent()
        # Here, because the model's clean() comes next and looks at the secrets.
        for name, secret in self._new_secrets():
            setattr(self.instance, name, secret)
        return cleaned

    def clean_scopes(self) -> list[str]:
        scopes: list[str] = self.cleaned_data["scopes"]
        for scope in scopes:
            # RFC 6749 section 3.3 would let it pass, and the service would refuse it.
            if "," in scope:
                raise ValidationError(
                    words.SCOPE_WITH_COMMA, code="scopes", params={"scope": scope}
                )
        return scopes

    def _new_secrets(self) -> Iterator[tuple[str, Secret | None]]:
        for name in SECRET_FIELDS:
            if entered := self.cleaned_data.get(f"new_{name}"):
                yield name, entered
            elif self.cleaned_data.get(f"remove_{name}"):
                yield name, None

    def _require_keys(self) -> None:
        try:
            keyring.current()
        except ImproperlyConfigured as error:
            self.add_error(None, str(error))

    def _require_consent(self) -> None:
        """Ask once more before accounts stop, when nothing else is in the way."""
        values = self.cleaned_data
        self.stake = moving.at_stake(
            self.instance, values, accepts=self.accepts_addresses
        )
        if self.stake and not self.errors and not values.get("confirm_move"):
            self.add_error("confirm_move", words.UNCONFIRMED)

    def _pins(self) -> bool:
        """Say whether saving is going to seal the addresses."""
        changed = {*PINNED_FIELDS, "accept_addresses"}.intersection(self.changed_data)
        return self.instance._state.adding or bool(changed)

    def _require_untouched_or_put_back(self) -> None:
        """Let addresses that were changed by SQL stay refused, or be what they were."""
        touched = [n for n in PINNED_FIELDS if n in self.changed_data]
        put_back = all(
            self.cleaned_data.get(name, getattr(self.instance, name)) == pinned
            for name, pinned in self._altered.items()
        )
        if touched and not (put_back and set(touched) <= set(self._altered)):
            self.add_error(None, words.ALTERED)

    def _require_stored_secrets_again(self) -> None:
        known = {name for name, _secret in self._new_secrets()}
        for name in SECRET_FIELDS:
            if name not in known and getattr(self.instance, name) is not None:
                self.add_error(
                    f"new_{name}",
                    _(
                        "Enter it again (or remove it): an address that it is sent to "
                        "has changed."
                    ),
                )

    def _require_the_stored_secrets(self) -> None:
        """Let nobody send tokens elsewhere who does not know what is stored now."""
        if (
            self.instance.client_secret is None
            or self.instance.token_endpoint_auth_method == Provider.ClientAuth.NONE
        ):
            self.add_error(None, words.PUBLIC_CLIENT)
        elif moving.holds_older_tokens(self.instance):
            self.add_error(None, words.OLDER_TOKENS)
        for name in SECRET_FIELDS:
            if f"new_{name}" not in self.errors and (problem := self._unlike(name)):
                self.add_error(f"new_{name}", problem)

    @sensitive_variables("entered")
    def _unlike(self, name: str) -> StrPromise | None:
        """Return why what was entered is not the stored secret, if it is not."""
        entered = self.cleaned_data.get(f"new_{name}")
        if getattr(self.instance, name) is None:
            return words.NOT_THE_STORED if entered else None
        if not entered:
            return words.ENTER_STORED
        if moving.has_too_many_guesses(self.instance):
            return words.TOO_MANY_GUESSES
        # The instance has its old addresses still, which the secret is bound to.
        is_stored = moving.is_stored(self.instance, name, entered)
        if is_stored is None:
            return words.CANNOT_BE_COMPARED
        if not is_stored:
            self.guessed.append(name)
            return words.NOT_THE_STORED
        self.confirmed.add(name)
        return None

    def _check_issuer(self) -> None:
        """Hold one issuer to one token endpoint (RFC 9700 section 4.4.2)."""
        endpoint = self.cleaned_data.get("token_endpoint")
        # A page of consent tells who the server is, where the issuer is left out.
        for name, error in words.ELSEWHERE.items():
            value = self.cleaned_data.get(name)
            others = Provider.objects.exclude(pk=self.instance.pk).filter(
                **{name: value}
            )
            elsewhere = others.exclude(token_endpoint=endpoint)
            if value and endpoint and elsewhere.exists():
                self.add_error(name, ValidationError(error, code=name))
