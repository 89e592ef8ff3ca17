"""Shellys that do not exist, for `manage.py simulate` and `demo`."""
