"""What is known of one device on a connection: its channels, and its clock (rule 2).

Pure. What is done with them, and when, is for the rules in sampler.py to state.
"""

import msgspec

from powerlog.core.channel_state import ChannelState


class DeviceState(msgspec.Struct):
    """One device's channels, and how far its clock is ahead of the collector's (rule 2).

    clock_refused: its last ts was not believed; refused holds that ts and the moment of receipt.
    For rule 14: the device has sent frames without a pause since speaks_since, and its channels are
    checked again at look_at, Unix seconds.
    """

    channels: dict[str, ChannelState] = {}  # msgspec copies a mutable default
    clock_offset_s: float = 0.0
    clock_refused: bool = False
    refused: tuple[float, float] = (0.0, 0.0)
    speaks_since: float = 0.0
    look_at: float = 0.0

    def moment(self, ts: float | None, now: float, tolerance_s: float) -> float:
        """Rule 2: return when the readings of a frame happened, Unix seconds.

        ts is the frame's own stamp, now the moment of receipt by the collector's clock.
        """
        if ts is None:
            return now + self.clock_offset_s
        if abs(ts - now) <= tolerance_s:
            self.clock_offset_s = ts - now
            self.clock_refused = False
            return ts
        self.clock_offset_s = 0.0
        self.clock_refused = True
        self.refused = ts, now
        return now
