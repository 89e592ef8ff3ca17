"""The rules, pure: text -> Frame -> Sample and Run, and what to ask a device.

May import the standard library and msgspec: nothing of the project, no Django, no clock, no log.
"""
