"""Fill the tables of peers with tokens that the stub server knows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from allauth.socialaccount.models import SocialAccount, SocialToken
from social_django.models import UserSocialAuth

from benchmarks.peers.models import HandWrittenToken

Stocked = Callable[[Any, list[str], str, datetime], int]


def _first(made: list[Any]) -> int:
    return int(made[0].pk)


def hand_written(user: Any, tokens: list[str], access: str, expires: datetime) -> int:
    prefix = HandWrittenToken.objects.count()
    return _first(
        HandWrittenToken.objects.bulk_create(
            HandWrittenToken(
                user=user,
                uid=f"subject-{prefix + number}",
                access_token=access,
                refresh_token=token,
                expires_at=expires,
            )
            for number, token in enumerate(tokens)
        )
    )


def allauth(user: Any, tokens: list[str], access: str, expires: datetime) -> int:
    prefix = SocialAccount.objects.count()
    accounts = SocialAccount.objects.bulk_create(
        SocialAccount(user=user, provider="stub", uid=f"subject-{prefix + number}")
        for number in range(len(tokens))
    )
    return _first(
        SocialToken.objects.bulk_create(
            SocialToken(
                account=account, token=access, token_secret=token, expires_at=expires
            )
            for account, token in zip(accounts, tokens, strict=True)
        )
    )


def social(user: Any, tokens: list[str], access: str, expires: datetime) -> int:
    life = {"expires": 3600, "auth_time": int(expires.timestamp())}
    prefix = UserSocialAuth.objects.count()
    return _first(
        UserSocialAuth.objects.bulk_create(
            UserSocialAuth(
                user=user,
                provider="stub",
                uid=f"subject-{prefix + number}",
                extra_data={**life, "access_token": access, "refresh_token": token},
            )
            for number, token in enumerate(tokens)
        )
    )


STOCK: dict[str, Stocked] = {
    "floor": hand_written,
    "authlib": hand_written,
    "allauth": allauth,
    "social": social,
}
