"""The dashboard's pages: a day, the weeks, all channels, as tables and SVG.

May import core, reports, search, models and the ground floor.
"""
