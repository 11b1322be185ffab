"""Inputs of the administrator's forms: lists of words, and secrets that are never shown."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from oauth_accounts.fields import Secret


class LinesField(forms.CharField):
    """
    A list of words, edited as one per line.

    empty: what no line at all means.
    """

    widget = forms.Textarea(attrs={"rows": 4, "spellcheck": "false"})

    def __init__(self, *, empty: list[str] | None = None, **kwargs: Any) -> None:
        self.empty = empty
        super().__init__(required=False, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        words = (super().to_python(value) or "").split()
        return list(dict.fromkeys(words)) or self.empty


class DescriptionsField(forms.CharField):
    """Words for scopes, edited as one scope per line, with its words behind a blank."""

    widget = forms.Textarea(attrs={"rows": 4, "spellcheck": "true"})

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return "\n".join(f"{scope} {words}" for scope, words in value.items())

    def to_python(self, value: Any) -> Any:
        described: dict[str, str] = {}
        for line in (super().to_python(value) or "").splitlines():
            if not (parts := line.split(maxsplit=1)):
                continue
            if len(parts) == 1:
                text = _("Nothing stands behind this scope: %(scope)s")
                raise ValidationError(text, params={"scope": parts[0]})
            if parts[0] in described:
                text = _("This scope stands in two lines: %(scope)s")
                raise ValidationError(text, params={"scope": parts[0]})
            described[parts[0]] = parts[1].strip()
        return described


class SecretField(forms.CharField):
    """An input that is never filled in, with a hint whether something is stored."""

    def __init__(self, label: Any, *, multiline: bool = False) -> None:
        widget: forms.Widget = forms.PasswordInput(
            render_value=False, attrs={"autocomplete": "new-password"}
        )
        if multiline:
            widget = WriteOnlyTextarea(attrs={"rows": 4, "autocomplete": "off"})
        super().__init__(label=label, widget=widget, required=False)

    def clean(self, value: Any) -> Secret:
        return Secret(super().clean(_text_of(value)))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(initial, _text_of(data))


def _text_of(value: Any) -> Any:
    # The admin masks what was entered before it makes a form of it.
    return value.get_value() if isinstance(value, Secret) else value


class WriteOnlyTextarea(forms.Textarea):
    """A text area that shows nothing, not even what was just entered."""

    def format_value(self, value: Any) -> None:
        return None
