"""How right the rows and runs of the collector are: made-up lives of devices with known truth.

    scenarios           the life of a device, drawn from a seed: its messages and their arrival
    load_curves, wiring the loads of its channels, and what they draw, to the second
    disturbances        disconnects, power failures, delays, resets and wrong clocks
    faults/             what real devices showed besides, in some lives
    connection_reports  all that a device reports on a connection
    playback            a life through the rules of sampling
    readings            what a reader of all messages knows of a channel
    run_turns           when its runs start and end
    energy_bounds       how much energy a run may have
    energy_uncertainty  how much more or less where a fault hides the truth
    scoring, results    the comparison with the truth, and its sums

Pure, all of it, like the core that it measures. powerlog/simulation has the device itself.
"""
