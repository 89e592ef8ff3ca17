"""Queries and figures that pages, lists and commands share.

May import core, database, models and the ground floor.
"""
