from importlib import import_module

Migration = import_module("tests.organisations.migrations.0001_initial").Migration
