"""The collector: what Shelly power meters say becomes rows, one per channel and active minute.

Data goes one way, and most of it through these:

    consumers    a device's WebSocket: accept, ask for its status, pass every frame on
    protocol     text -> Frame with its Readings, or FrameError      (pure: no Django, no clock)
    sampler      Readings and a time -> Samples and Runs, by numbered rules   (pure, too)
    writer       Samples and Runs -> batches, off the frame path
    models       the tables power_logs, runs, day_totals, devices, channels, silences
    stats        the tables -> the figures of a day
    admin, views what staff see

What they need stands in a folder for each:

    core         the pure part beside protocol and sampler: frames, channels, runs, days
    entry        who may connect and speak, and what a connection may cost
    storage      what waits, what is written and what follows from it: spool, rows, runs, totals;
                 the registry of devices; the past of a channel, and what is too old
    lists        search, pages by cursor and export, at any size of table
    pages        the dashboard: a day, the weeks, all channels, in pictures and words
    running      health, metrics, several processes on one port, the database away
    simulation   one simulated Shelly, for `manage.py simulate`, `demo` and the benchmarks
"""
