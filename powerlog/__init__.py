"""The collector: what Shelly power meters say becomes rows, one per channel and active minute.

Data goes one way:

    consumers    a device's WebSocket: accept, ask for its status, pass every frame on
    protocol     text -> Frame with its Readings, or FrameError      (pure: no Django, no clock)
                 with frame, its nouns, and switches, the short way for what nearly all are
    sampler      Readings and a time -> Samples and Runs, by numbered rules   (pure, too)
                 with channel, what is known of one, runs, how energy is booked on them, and
                 days, the midnights between them
    limits       what a connection may cost, with quick_socket, the short way through a WebSocket
    doors        who gets in at /ws, with addresses, where they call from, and entrance, how many
    admission    who may speak, with peer, who they say they are, and waiting_room, until staff
                 have decided
    traffic      what the sockets of this process have seen, for the operator
    writer       Samples and Runs -> batches, off the frame path
                 with backlog, what waits, spool, the part of it on the disk, recalls, the
                 questions for the past, and last, which answers them in an outage
    store        batches -> the database: log_rows, run_rows, and totals, what they come to on
                 each day (rebuild makes them anew); past, what is known of a channel, out of it
    registry     devices and channels -> the database, and what staff want of them back to the
                 sampler; with about, what a device says of itself, device_rows, and presence,
                 who comes and goes
    models       the tables power_logs, runs, day_totals, devices, channels, silences
    meters       which channels there are, and state, how one is now
    day          a day of a channel out of the tables
                 with spent, what a run used on it, stats, its figures, and chart, its picture
    weeks        thirty days and twelve months of a channel, and overview, all channels today
    pages        the dashboard, with choices, what it is asked to show, cards, runs_table and
                 minutes, what it says, and live, whether it has to say it anew
    admin        what else staff see
    health       what `/` says of all that, for the operator, and metrics, the same at /metrics
                 with neighbours, how the other processes on this port are
    processes    several collectors on one port, and worker, what is different in each
    outage       what pages say while the database is away

simulator is the other end of the wire: a Shelly that does not exist, for `manage.py simulate`.
truth knows what really happened: lives of devices to try the core with, for `manage.py score`.
"""
