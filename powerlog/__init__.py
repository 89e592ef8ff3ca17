"""The collector: what Shelly power meters say becomes rows, one per channel and active minute.

Data goes one way:

    consumers    a device's WebSocket: accept, ask for its status, pass every frame on
    protocol     text -> Frame with its Readings, or FrameError      (pure: no Django, no clock)
                 with frame, its nouns, and switches, the short way for what nearly all are
    sampler      Readings and a time -> Samples and Runs, by numbered rules   (pure, too)
                 with channel, what is known of one, and runs, how energy is booked on them
    limits       what a connection may cost, with quick_socket, the short way through a WebSocket
    traffic      what the sockets of this process have seen, for the operator
    writer       Samples and Runs -> batches, off the frame path
                 with backlog, what waits, spool, the part of it on the disk, recalls, the
                 questions for the past, and last, which answers them in an outage
    store        batches -> the database, and the past of a channel out of it
    models       PowerLog and Run, the tables power_logs and runs
    stats        the rows of a day -> the figures and the picture of a pump's day
    admin, views what staff see
    health       what `/` says of all that, for the operator
                 with neighbours, how the other processes on this port are
    processes    several collectors on one port, and worker, what is different in each
    outage       what pages say while the database is away

simulator is the other end of the wire: a Shelly that does not exist, for `manage.py simulate`.
truth knows what really happened: lives of devices to try the core with, for `manage.py score`.
"""
