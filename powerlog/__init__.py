"""The collector: what Shelly power meters say becomes rows, one per channel and active minute.

Data goes one way:

    consumers    a device's WebSocket: accept, ask for its status, pass every frame on
    protocol     text -> Frame with its Readings, or FrameError      (pure: no Django, no clock)
    sampler      Readings and a time -> Samples, by numbered rules   (pure: no Django, no clock)
    traffic      what the sockets of this process have seen, for the operator
    writer       Samples -> batches of rows, off the frame path
    models       PowerLog, the table power_logs
    stats        the rows of a day -> the figures and the picture of a pump's day
    admin, views what staff see; `/` for the operator

simulator is the other end of the wire: a Shelly that does not exist, for `manage.py simulate`.
"""
