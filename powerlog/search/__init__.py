"""Search forms, keyset pagination and CSV export, at any size of table.

May import database, models and the ground floor.
"""
