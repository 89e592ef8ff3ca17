"""The state of the collector: health, metrics, maintenance, clocks, and the database away.

May import core, database, devices, server, writer and the ground floor.
"""
