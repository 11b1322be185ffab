from django.apps import AppConfig

# Named here, so that web processes send their tasks to this project's broker too.
from example_project.site.celery import app

__all__ = ["SiteConfig", "app"]


class SiteConfig(AppConfig):
    name = "example_project.site"
    label = "example_site"
    verbose_name = "Example site"
