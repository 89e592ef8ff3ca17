"""Faults that real devices have: some lives get one, drawn from a chance of its own.

    fault  the base: none at all, and everything that a kind can change
    counting    counters that mislead
    metering    meters that fail, records of minutes that decide nothing
    speaking    channels and messages that do not arrive, texts that are cut

Pure, like everything here.
"""

from random import Random

from benchmarks.accuracy.faults.counter_faults import (
    JumpingCounter,
    LateSign,
    MisreadCounter,
    NetOfPhases,
    ReplacedDevice,
)
from benchmarks.accuracy.faults.fault import Fault, Traits
from benchmarks.accuracy.faults.message_faults import (
    CutTexts,
    OtherProfile,
    QuietDevice,
    SilentChannel,
)
from benchmarks.accuracy.faults.meter_faults import FailingMeter, RefusedClock, UnsignedRecord

FAULTY_SHARE = 0.4  # this part of the lives gets one
# The weights are higher for those that only few devices can have.
FAULTS: dict[type[Fault], int] = {
    MisreadCounter: 3,
    JumpingCounter: 2,
    ReplacedDevice: 2,
    LateSign: 6,
    NetOfPhases: 6,
    FailingMeter: 3,
    OtherProfile: 3,
    SilentChannel: 10,
    QuietDevice: 4,
    CutTexts: 1,
    UnsignedRecord: 4,
    RefusedClock: 3,
}


def draw_fault(chance: Random, traits: Traits) -> Fault:
    """Return the fault of this device, or the base class: none."""
    if chance.random() > FAULTY_SHARE:
        return Fault(chance, traits)
    fitting = [each for each in FAULTS if each.fits(traits)]
    (each,) = chance.choices(fitting, [FAULTS[each] for each in fitting])
    return each(chance, traits)
