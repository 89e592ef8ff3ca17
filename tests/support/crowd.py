"""Devices that dial in one after the other, and the rows that have to come of what they say."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from threading import Event
from time import time

from websockets.sync.client import ClientConnection, connect

from tests.support.frames import delta
from tests.support.servers import Server, until

# A device has four minutes to tell: stamps, in seconds from when it dials, that the collector
# believes with half a minute to spare. It says them a few ticks after each other.
STAMPS_S = (-90, -30, 30, 90)
TICKS_APART = 5
TICK_S = 0.015
CHANNELS = ("switch:0", "switch:1", "switch:2")

# Device, channel, start of the minute and W.
Row = tuple[str, str, int, float]


class Teller:
    """One device, connected until the crowd goes."""

    def __init__(self, number: int, socket: ClientConnection) -> None:
        self.device_id = f"shellypro4pm-{number:012x}"
        self._number, self._socket, self._dialled = number, socket, time()

    def tell(self, part: int) -> list[Row]:
        """Say one of the four minutes; the rows that must come of it."""
        stamp = self._dialled + STAMPS_S[part]
        # No two rows of the crowd have the same power.
        watts = {
            channel: 10.0 + 16 * self._number + 4 * place + part
            for place, channel in enumerate(CHANNELS)
        }
        components = {key.replace(":", "_"): {"apower": value} for key, value in watts.items()}
        self._socket.send(delta(stamp, self.device_id, **components))
        minute = int(stamp // 60) * 60
        return [(self.device_id, channel, minute, value) for channel, value in watts.items()]


class Crowd:
    """All devices of a test, whichever collector they dial. rows is what they have said so far."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.tellers: list[Teller] = []
        self._frames = 0
        self._sockets = ExitStack()

    @property
    def runs(self) -> int:
        """Each channel has begun to run, and none has stopped."""
        return len(self.tellers) * len(CHANNELS)

    @contextmanager
    def talking(self, server: Server) -> Iterator[None]:
        """Devices come and talk all the time; in the end the collector has read all of it."""
        unheard = self._frames - _frames(server)
        enough = Event()
        with ThreadPoolExecutor(1) as thread:
            talk = thread.submit(self._talk, server, enough)
            try:
                yield
            finally:
                enough.set()
                talk.result()
        until(lambda: _frames(server) == self._frames - unheard)

    def more(self, devices: int) -> None:
        """Wait until so many more have come."""
        enough = len(self.tellers) + devices
        until(lambda: len(self.tellers) >= enough)

    def leave(self) -> None:
        self._sockets.close()

    def _talk(self, server: Server, enough: Event) -> None:
        mine: list[Teller] = []
        while not enough.wait(TICK_S):
            socket = connect(server.socket, compression=None, open_timeout=20, close_timeout=1)
            mine.append(Teller(len(self.tellers), self._sockets.enter_context(socket)))
            self.tellers.append(mine[-1])
            for part in range(len(STAMPS_S)):
                if len(mine) > part * TICKS_APART:
                    self.rows += mine[-1 - part * TICKS_APART].tell(part)
                    self._frames += 1


def _frames(server: Server) -> int:
    return int(server.status()["frames"])


def written(server: Server) -> list[Row]:
    """What is in the table."""
    sqlite = server.database_url.startswith("sqlite")
    epoch = "strftime('%s', timestamp)" if sqlite else "extract(epoch FROM timestamp)"
    query = f"SELECT device_id, channel, CAST({epoch} AS integer), apower_w FROM power_logs"
    with server.connect() as connection:
        return sorted(connection.execute(query).fetchall())
