"""Made-up lives of devices, of which the truth is known to the second, and how right the rules are.

    curves   what is drawn, to the second
    counters what a device counts of it, and forgets
    mishaps  what happens to a device and its line
    misfortunes/ what real devices showed besides, in some lives
    wiring   what is wired to its channels
    words    how a firmware words what it measures and counts
    voice    when a device says what
    lives    a whole life, drawn from a seed: the messages, and when they are received
    score    a life played through the rules
    hearing  what a reader of its messages knows of a channel
    judge    what came of it against the truth
    turns    when its runs start and end
    energy   how much a run may claim to have used
    doubts   how much more or less where a misfortune hides the truth
    findings what the judge finds

Pure, all of it, like the core that it tries.
"""
