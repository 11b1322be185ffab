"""
Demo data in every state: `python -m example_project.site oauth_accounts seed-demo`.

people.py     who owns the accounts
services.py   made-up providers, which the provider site plays; see its made_up.py
cases.py      the accounts that show one state each
crowd.py      many accounts more, for lists and figures
history.py    what happened to them, and how refreshes went hour by hour
outbox.py     revocations in each outcome, and authorisations under way
planting.py   writes it all
"""
