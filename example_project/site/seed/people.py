"""Who owns the accounts of the demo data."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model

from example_project.site import logins

# Pioneers; nobody logs in as one of them.
CROWD = (
    "annie annette barbara beatrice carol cecilia dana dorothy elaine elsie evelyn fei "
    "frances gertrude hannah irene jean joan karen kathleen klara lynn margaret marlyn "
    "mary mina nancy olga parisa radia rose ruth shafi sophie stephanie thelma vera yoshiko"
).split()
LEFT = "ruby.left"
PASSWORDS = {
    logins.MEMBER: logins.MEMBER_PASSWORD,
    logins.REGULAR: logins.REGULAR_PASSWORD,
}


def plant() -> dict[str, Any]:
    """Make the users and return them by name; the passwords of two are documented."""
    users = get_user_model()
    made = {
        name: users.objects.get_or_create(
            username=name, defaults={"email": f"{name}@site.example"}
        )[0]
        for name in (*PASSWORDS, LEFT, *CROWD)
    }
    for name, password in PASSWORDS.items():
        if not made[name].check_password(password):
            made[name].set_password(password)
            made[name].save()
    # By hand, because saving somebody inactive disables the accounts there are.
    users.objects.filter(username=LEFT).update(is_active=False)
    return made
