"""
The client site of the example: an ordinary Django project that uses oauth_accounts.

    python -m example_project.site prepare    migrate, make the two users
    python -m example_project.site serve      serve on 127.0.0.1 until interrupted
    python -m celery -A example_project.site.celery worker
    python -m celery -A example_project.site.celery beat

Any other word after the first form is a command of Django's. `example_project.serve` starts
all of them together, and the provider with them.

Environment, all optional:

    EXAMPLE_STATE_DIR       folder of database, keys and messages (.demo)
    EXAMPLE_SITE_PORT       port on 127.0.0.1 (8000)
    EXAMPLE_PROVIDER_PORT   port of the provider site (8001)
    DATABASE_URL            postgres://user@host/name or mysql://user@host/name
    CELERY_BROKER_URL       redis://host:6379/0 or amqp://user:password@host//
"""
