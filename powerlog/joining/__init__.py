"""Join two devices: the history of one moves to the other, its successor or its new id.

May import core, database, devices, reports, models and the ground floor.
"""
