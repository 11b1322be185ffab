"""
What can be found out about a provider without a user: asked by an administrator's hand.

Each question ends in a result and a code, never in what the provider said. Accounts, the
circuit breaker and the statistics are left alone: what fails here has failed nobody.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal

from django.core.exceptions import ImproperlyConfigured
from django.urls import NoReverseMatch

from oauth_accounts.exceptions import (
    ProviderMisconfigured,
    ProviderUnavailable,
    TokenError,
)
from oauth_accounts.fields import Secret
from oauth_accounts.outages import CLIENT_REFUSED
from oauth_accounts.protocol.client import OAuth2Client, new_code_verifier
from oauth_accounts.protocol.discovery import Metadata, discover
from oauth_accounts.protocol.published_keys import read_keys
from oauth_accounts.protocol.reachability import require_answer
from oauth_accounts.registration import redirect_uri

if TYPE_CHECKING:
    from oauth_accounts.models import Provider

Result = Literal["pass", "warn", "fail", "skip"]

# All questions together; a call that is under way may take longer, unseen.
SECONDS = 18.0

# Where browsers or this app go; jwks_uri is read, not only knocked at.
KNOCKED_AT = (
    "authorization_endpoint",
    "revocation_endpoint",
    "userinfo_endpoint",
    "api_base_url",
)
# What metadata may say other than the provider's page.
COMPARED = (
    "authorization_endpoint",
    "token_endpoint",
    "revocation_endpoint",
    "userinfo_endpoint",
    "jwks_uri",
    "authorization_response_iss_parameter_supported",
)

NOT_CALLED = frozenset({"url_refused", "host_refused", "address_refused"})
NOT_HEARD = frozenset({"unreachable", "outcome_unknown"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What one question came to."""

    subject: str
    """What was looked at: the name of a column, or "configuration", "client", "issuer"."""
    result: Result
    code: str
    """Stable; has a text in the admin."""
    names: tuple[str, ...] = ()
    """Columns that the text is about."""
    number: int = 0
    """What was counted, where the text says how many."""


Question = Callable[[], Finding]


def inspect(provider: Provider, missing: list[str], *, altered: bool) -> list[Finding]:
    """
    Return what is right and wrong with a provider, after SECONDS at most.

    missing: names of the columns that it needs and does not have. altered: whether its
    addresses are in doubt; then nothing is sent.
    """
    redirect, redirecting = _redirect(provider)
    findings = [_configuration(provider, missing), redirecting]
    if altered:
        return [*findings, Finding(subject="addresses", result="fail", code="altered")]
    client, opening = _client_of(provider)
    questions = _questions(provider, client, redirect)
    return [*findings, opening, *_answers(questions, SECONDS)]


def _configuration(provider: Provider, missing: list[str]) -> Finding:
    if missing:
        return Finding(
            subject="configuration",
            result="fail",
            code="incomplete",
            names=tuple(missing),
        )
    if not provider.enabled:
        return Finding(subject="configuration", result="warn", code="disabled")
    return Finding(subject="configuration", result="pass", code="complete")


def _redirect(provider: Provider) -> tuple[str, Finding]:
    subject = "redirect_uri"
    try:
        address = redirect_uri(None, provider)
    except ProviderMisconfigured:
        return "", Finding(subject=subject, result="fail", code="base_url_missing")
    except NoReverseMatch:
        return "", Finding(subject=subject, result="fail", code="urls_missing")
    return address, Finding(subject=subject, result="pass", code="known")


def _client_of(provider: Provider) -> tuple[OAuth2Client | None, Finding]:
    """Return who speaks to the provider, if the secret opens."""
    subject = "client_secret"
    try:
        client = provider.oauth_client()
    except TokenError as error:
        return None, Finding(subject=subject, result="fail", code=error.code)
    except ImproperlyConfigured:
        return None, Finding(subject=subject, result="fail", code="undecryptable")
    if provider.client_secret is None:
        is_public = provider.token_endpoint_auth_method == provider.ClientAuth.NONE
        code = "none" if is_public else "not_entered"
        return client, Finding(subject=subject, result="skip", code=code)
    return client, Finding(subject=subject, result="pass", code="readable")


def _questions(
    provider: Provider, client: OAuth2Client | None, redirect: str
) -> Mapping[str, Question]:
    """Return what to ask, by subject; no question touches the database."""
    questions: dict[str, Question] = {
        name: partial(_knock, name, getattr(provider, name)) for name in KNOCKED_AT
    }
    stored = {name: getattr(provider, name) for name in COMPARED}
    method = provider.token_endpoint_auth_method
    questions["issuer"] = partial(_agrees, provider.issuer, stored, method)
    questions["jwks_uri"] = partial(
        _keys, provider.jwks_uri, needed=provider.uses_openid()
    )
    if client is not None and client.config.client_id and client.config.token_endpoint:
        questions["client"] = partial(_authenticates, client, redirect)
    else:
        name = "token_endpoint"
        questions[name] = partial(_knock, name, getattr(provider, name))
    return questions


def _answers(questions: Mapping[str, Question], seconds: float) -> Iterator[Finding]:
    """Ask everything at once, and give up what takes too long."""
    until = monotonic() + seconds
    landed: SimpleQueue[Finding] = SimpleQueue()
    for question in questions.values():
        work = partial(_land, landed, question)
        threading.Thread(target=work, name="oauth_accounts.test", daemon=True).start()
    found: dict[str, Finding] = {}
    while len(found) < len(questions):
        try:
            finding = landed.get(timeout=max(0.0, until - monotonic()))
        except Empty:
            break
        found[finding.subject] = finding
    for subject in questions:
        late = Finding(subject=subject, result="fail", code="unheard")
        finding = found.get(subject, late)
        if subject == "client":
            yield _of_token_endpoint(finding)
        yield finding
    if "client" not in questions:
        yield Finding(subject="client", result="skip", code="not_possible")


def _land(landed: SimpleQueue[Finding], question: Question) -> None:
    landed.put(question())


def _knock(name: str, url: str) -> Finding:
    if not url:
        return Finding(subject=name, result="skip", code="not_entered")
    try:
        require_answer(url)
    except TokenError as error:
        return Finding(subject=name, result="fail", code=_silence(error))
    return Finding(subject=name, result="pass", code="answers")


def _silence(error: TokenError) -> str:
    """Return one of two codes for why nothing was heard; nothing finer."""
    return "unheard" if isinstance(error, ProviderUnavailable) else "refused"


def _agrees(issuer: str, stored: Mapping[str, Any], method: str) -> Finding:
    """Compare the provider with what its issuer says about itself."""
    if not issuer:
        return Finding(subject="issuer", result="skip", code="not_entered")
    try:
        metadata = discover(issuer)
    except TokenError as error:
        # Plain OAuth 2.0 has no metadata, so this is no failure.
        return Finding(subject="issuer", result="warn", code=error.code)
    if problem := _problem_of(metadata, method):
        return problem
    offered = {name: getattr(metadata, name) for name in COMPARED}
    differing = [n for n in COMPARED if offered[n] and offered[n] != stored[n]]
    if differing:
        return Finding(
            subject="issuer", result="warn", code="differs", names=tuple(differing)
        )
    return Finding(subject="issuer", result="pass", code="agrees")


def _problem_of(metadata: Metadata, method: str) -> Finding | None:
    challenges = metadata.code_challenge_methods_supported
    if challenges is not None and "S256" not in challenges:
        return Finding(subject="issuer", result="fail", code="no_pkce")
    methods = metadata.token_endpoint_auth_methods_supported
    if methods is not None and method not in methods:
        return Finding(subject="issuer", result="warn", code="auth_method")
    return None


def _keys(uri: str, *, needed: bool) -> Finding:
    if not uri:
        return Finding(subject="jwks_uri", result="skip", code="not_entered")
    worst: Result = "fail" if needed else "warn"
    try:
        # Not by way of those that are kept: asking must not stand in the way of them.
        number = len(read_keys(uri) or ())
    except TokenError as error:
        return Finding(subject="jwks_uri", result=worst, code=_silence(error))
    if not number:
        return Finding(subject="jwks_uri", result=worst, code="no_keys")
    return Finding(subject="jwks_uri", result="pass", code="keys", number=number)


def _of_token_endpoint(client: Finding) -> Finding:
    """Return what the question for the client says about the endpoint that it went to."""
    silent = client.code in {"unheard", "refused"}
    return Finding(
        subject="token_endpoint",
        result="fail" if silent else "pass",
        code=client.code if silent else "answers",
    )


def _authenticates(client: OAuth2Client, redirect: str) -> Finding:
    """
    Ask for tokens with what nobody was granted, to hear what is wrong with it.

    RFC 6749 section 5.2: `invalid_grant` is about the grant, `invalid_client` about who
    asks. Where refreshing is not known, a code says the same.
    """
    code = _refused_as(lambda: client.refresh(_made_up()))
    if _verdict(code).code == "undecided" and redirect:
        code = _refused_as(
            lambda: client.exchange_code(
                code=_made_up(),
                redirect_uri=redirect,
                code_verifier=new_code_verifier(),
            )
        )
    return _verdict(code)


def _made_up() -> Secret:
    return Secret(f"made-up-for-a-test-{secrets.token_urlsafe(16)}")


def _refused_as(ask: Callable[[], object]) -> str:
    try:
        ask()
    except TokenError as error:
        return error.code
    return "accepted"


def _verdict(code: str) -> Finding:
    """Return what the code of a refusal says about the client."""
    verdicts: list[tuple[bool, Result, str]] = [
        (code == "invalid_grant", "pass", "accepted"),
        (code in CLIENT_REFUSED, "fail", code),
        (code in NOT_CALLED, "fail", "refused"),
        (code in NOT_HEARD, "fail", "unheard"),
        (code == "redirect_refused", "fail", code),
        (code in {"client_auth_unsupported", "client_secret_missing"}, "fail", code),
        (code == "rate_limited", "warn", code),
        (code == "accepted", "warn", "takes_anything"),
    ]
    for applies, result, said in verdicts:
        if applies:
            return Finding(subject="client", result=result, code=said)
    return Finding(subject="client", result="warn", code="undecided")
