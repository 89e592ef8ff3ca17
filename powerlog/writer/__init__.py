"""Samples and runs on their way to the database: the queue, the spool, the restored snapshots.

May import core, database and the ground floor.
"""
