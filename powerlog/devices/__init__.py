"""Connected devices: sessions, access, pending devices, requests, and their tables.

May import core, database, models and the ground floor.
"""
