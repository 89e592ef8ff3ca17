"""One simulated Shelly, for `manage.py simulate`, `demo`, the accuracy benchmark and tests.

    curves      power over time: steps, cycles, planned runs
    counters    the energy that a device counts, and forgets
    channel     a channel with its power and counters
    components  the fields in which a firmware reports them
    connection  a stretch of time in which a device is connected
    device      what a device of some kind and firmware reports
    pro4pm      a Pro 4PM with a pump, as text messages
    demo        two pumps with a past

Pure: no socket, no clock, no framework.
"""
