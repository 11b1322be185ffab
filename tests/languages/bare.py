"""Texts that nobody can translate: in templates, and in Python where people read them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser

from tests.languages.extraction import KEYWORDS

SPOKEN = {
    "alt",
    "aria-description",
    "aria-label",
    "aria-roledescription",
    "placeholder",
    "title",
}
UNSPOKEN = {"code", "script", "style"}
_TRANSLATED = re.compile(
    r"{%\s*(?:comment|blocktrans(?:late)?)\b.*?{%\s*end(?:comment|blocktrans(?:late)?)\s*%}",
    re.DOTALL,
)
# Blocks of Django's pages that hold classes.
_CLASSES = re.compile(
    r"{%\s*block\s+(?:bodyclass|coltype)\s*%}.*?{%\s*endblock\b.*?%}", re.DOTALL
)
# What an address goes on with.
_FRAGMENT = re.compile(r"(?<=}})[#?/][\w=&/-]*")
_TAG = re.compile(r"{%.*?%}|{{.*?}}|{#.*?#}", re.DOTALL)
_ENTITY = re.compile(r"&#?\w+;")
_WORD = re.compile(r"[^\W\d_]")
_SENTENCE = re.compile(r"[A-Z][a-z]+ [a-z]|[a-z]+ .*\.$")

# Named so, an argument is shown to people.
SHOWN = {
    "description",
    "empty_label",
    "empty_value_display",
    "help_text",
    "label",
    "short_description",
    "title",
    "verbose_name",
    "verbose_name_plural",
}
# What these are called with is shown to people: the position of the text.
SHOWING = {
    "ValidationError": 0,
    "add_error": 1,
    "debug": 1,
    "error": 1,
    "info": 1,
    "message_user": 1,
    "success": 1,
    "warning": 1,
}


class _Reader(HTMLParser):
    """Collects what a browser would show or say."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.found: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag if tag in UNSPOKEN else ""
        names = SPOKEN | ({"value"} if tag == "input" and _is_button(attrs) else set())
        self.found += [value for name, value in attrs if name in names and value]

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.found.append(data)


def _is_button(attrs: list[tuple[str, str | None]]) -> bool:
    return dict(attrs).get("type") in {"submit", "button", "reset"}


def in_template(source: str) -> list[str]:
    """Return the texts of a template that are not marked for translation."""
    reader = _Reader()
    for hidden in (_CLASSES, _TRANSLATED, _FRAGMENT, _TAG):
        source = hidden.sub("", source)
    reader.feed(source)
    reader.close()
    texts = (_ENTITY.sub("", text).strip() for text in reader.found)
    return [text for text in texts if _WORD.search(text)]


def in_python(source: str) -> list[str]:
    """Return the texts of a module that are shown and not marked for translation."""
    found = []
    for node in ast.walk(ast.parse(source)):
        found += [text for shown in _shown(node) for text in _plain(shown)]
    return [text for text in found if _WORD.search(text)]


def _shown(node: ast.AST) -> Iterator[ast.expr]:
    """Return the expressions that a node shows to people."""
    if isinstance(node, ast.Assign):
        names = {ast.unparse(target).rpartition(".")[2] for target in node.targets}
        if names & SHOWN:
            yield node.value
    elif isinstance(node, ast.ClassDef) and _is_choices(node):
        yield from _labels(node)
    elif isinstance(node, ast.Call):
        yield from (word.value for word in node.keywords if word.arg in SHOWN)
        yield from _positional(node)


def _positional(node: ast.Call) -> Iterator[ast.expr]:
    whole = ast.unparse(node.func)
    name = whole.rpartition(".")[2]
    is_field = whole.startswith(("models.", "forms.")) or name == "SealedTextField"
    if is_field and name.endswith("Field"):
        yield from node.args[:1]
    elif name in SHOWING and not whole.startswith("logger."):
        yield from node.args[SHOWING[name] :][:1]
    elif name == "format_html":
        yield from (_words_of_html(argument) for argument in node.args[:1])


def _is_choices(node: ast.ClassDef) -> bool:
    names = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
    return bool(names & {"TextChoices", "IntegerChoices"})


def _labels(node: ast.ClassDef) -> Iterator[ast.expr]:
    """Return the labels of choices; without one, Django makes it of the English name."""
    for statement in node.body:
        if isinstance(statement, ast.Assign):
            value = statement.value
            yield value.elts[-1] if isinstance(value, ast.Tuple) else value


def _words_of_html(node: ast.expr) -> ast.expr:
    if isinstance(node, ast.Constant):
        return ast.Constant(" ".join(in_template(str(node.value))))
    return node


def _plain(node: ast.expr) -> Iterator[str]:
    """Return the strings that an expression shows as they are; calls translate theirs."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield ast.unparse(node)
    elif isinstance(node, ast.BinOp):
        yield from _plain(node.left)
        yield from _plain(node.right)
    elif isinstance(node, ast.IfExp):
        yield from _plain(node.body)
        yield from _plain(node.orelse)
    elif isinstance(node, ast.Dict):
        yield from (text for value in node.values for text in _plain(value))
    elif isinstance(node, ast.List | ast.Tuple):
        yield from (text for value in node.elts for text in _plain(value))


def sentences(source: str) -> list[str]:
    """Return what looks like a sentence in a module of pages, wherever it stands."""
    tree = ast.parse(source)
    apart: set[int] = set()
    for node in ast.walk(tree):
        if _is_apart(node):
            apart.update(id(inner) for inner in ast.walk(node))
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in apart
        and _SENTENCE.match(node.value)
    ]


def _is_apart(node: ast.AST) -> bool:
    """Say whether what is in it is a docstring, for developers, or translated."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func)
        return name.startswith("logger.") or name.rpartition(".")[2] in KEYWORDS
    return isinstance(node, ast.Raise)
