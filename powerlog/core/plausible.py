"""How much energy a channel can have used, as far as its power is known.

Pure. Rule 11: a rise of the counter that the known power cannot have drawn since the counter last
spoke is a reset (a report of 0 or of an old value, a jump, another device under the same id), and
the energy of that time is the integral of the known power. This is the bound between the two.
"""

# A device reports a power that has changed by about 5 %, and rule 7 takes 20 % for the same load.
MARGIN = 1.2
# The counter speaks about once a minute: its rise may begin a minute before the time in question.
REPORT_S = 60.0
# Small loads are counted in quanta of about 0.2 Wh; two of them may fall into one report.
QUANTA_WH = 0.5


def most_wh(peak_w: float, seconds: float) -> float:
    """Return the most energy in Wh that so many seconds can have taken with this highest power."""
    return peak_w * (MARGIN * seconds + REPORT_S) / 3600 + QUANTA_WH
