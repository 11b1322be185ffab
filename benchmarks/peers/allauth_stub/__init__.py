"""A django-allauth provider for the stub server."""
