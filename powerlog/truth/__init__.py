"""Made-up lives of devices, of which the truth is known to the second, and how right the rules are.

    curves   what is true: power, counters, and what happens to a device
    voice    how a device of some kind and firmware says it
    lives    a whole life, drawn from a seed: the messages, and when they are received
    score    a life played through the rules
    judge    what came of it against the truth

Pure, all of it, like the core that it tries.
"""
