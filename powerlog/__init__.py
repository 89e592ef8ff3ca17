"""The collector: what Shelly power meters report becomes one row per channel and active minute.

Data flows one way, and up to people again:

    consumers -> core (protocol -> sampler) -> writer -> database -> models
    models -> reports -> dashboard, search, admin

Each folder says what it holds and what it may import; tests/test_layers.py checks it. The ground
floor is for all of them: models, localtime (local days), client_address and own_hosts (who calls,
and which names are ours), log_once and log_budget (limits of the log), steady_thread.

One noun for each concept, in code, log, pages and documents:

    device          a Shelly; device_id is its `src`
    channel         a metering component, such as "switch:2"
    channel key     (device_id, channel)
    frame           one JSON-RPC message
    reading         what a frame reports of one channel
    record          the device's own minutes (`by_minute`)
    sample          a minute row to be written
    run             an uninterrupted stretch of activity
    gap             time without a reading
    silence         a gap of a device of more than two minutes
    span            a stretch of time
    day total       what a channel used on a local day
    spool           rows on disk while the database is away
    restore         to read the state of a channel back
    snapshot        the last known state of a channel
    session         one connection and the device behind it
    pending device  a device that waits for staff
    access token    what a device shows to be accepted
    apower_w, voltage_v, current_a, energy_total_wh: units are in names
    ts              Unix seconds, a float; datetimes are aware and in UTC
"""
