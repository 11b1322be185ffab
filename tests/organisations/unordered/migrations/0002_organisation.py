from importlib import import_module

ordered = import_module("tests.organisations.migrations.0002_organisation")


class Migration(ordered.Migration):
    run_before = []
