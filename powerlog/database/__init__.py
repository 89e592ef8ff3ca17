"""SQL: minute rows, runs and day totals are written, restored, recomputed and pruned here.

May import core, models and the ground floor.
"""
