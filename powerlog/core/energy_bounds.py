"""The most energy that a channel can have used, by its known power.

Pure. Rule 11: a rise of the counter that the known power cannot have drawn since the counter last
changed is a reset (a report of 0 or of an old value, a jump, another device under the same id), and
the energy of that time is the integral of the known power. This is the bound between the two.
"""

# Devices notify changes of about 5 %, and a held value is off by some more where a load flutters.
ABOVE_KNOWN = 0.2
# The counter speaks about once a minute: its rise may begin a minute before the time in question.
LATE_S = 60.0
# Small loads are counted in quanta of about 0.2 Wh; two of them may fall into one report.
QUANTA_WH = 0.5


def most_wh(known_ws: float, peak_w: float) -> float:
    """Return the most energy in Wh where the known power comes to known_ws and was peak_w at most.

    For a time of which the highest power alone is known, known_ws is peak_w x seconds.
    """
    return ((1 + ABOVE_KNOWN) * known_ws + LATE_S * peak_w) / 3600 + QUANTA_WH
