"""The yardstick: the same job as it is usually written, on FastAPI and asyncpg.

It asks for the status, keeps what it knows in a dictionary, writes one row a minute for a channel
above 5 W, fills gaps with the last values, and inserts each row by itself. No batches, no spool,
no runs, no record of the device, no counter as a proof.
"""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

THRESHOLD_W = 5.0
CHANNELS = ("switch:0", "switch:1", "switch:2")
MINUTE = timedelta(minutes=1)
REQUESTS = (
    {"id": 1, "src": "collector", "method": "NotifyStatus", "params": {"enable": True}},
    {"id": 2, "src": "collector", "method": "Shelly.GetStatus"},
)
TABLE = """
CREATE TABLE IF NOT EXISTS power_logs (
    id bigserial PRIMARY KEY,
    timestamp timestamptz NOT NULL,
    device_id varchar(100) NOT NULL,
    channel varchar(20) NOT NULL,
    apower_w float8 NOT NULL,
    voltage_v float8 NOT NULL,
    current_a float8 NOT NULL,
    energy_total_wh float8 NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS power_logs_timestamp ON power_logs (timestamp);
CREATE INDEX IF NOT EXISTS power_logs_device_channel ON power_logs (device_id, channel);
"""
INSERT = """
INSERT INTO power_logs
    (timestamp, device_id, channel, apower_w, voltage_v, current_a, energy_total_wh)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""


@dataclass
class Known:
    """Of one channel: its values, the minute of its last row, and whether it drew power."""

    minute: datetime
    values: tuple[float, float, float, float]
    active: bool = True


known: dict[tuple[str, str], Known] = {}


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=2, max_size=10) as pool:
        await pool.execute(TABLE)
        app.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def status() -> dict[str, int]:
    return {"channels": len(known)}


@app.websocket("/ws")
async def device(socket: WebSocket) -> None:
    await socket.accept()
    for request in REQUESTS:
        await socket.send_text(json.dumps(request))
    try:
        while True:
            await take(json.loads(await socket.receive_text()))
    except WebSocketDisconnect:
        pass


async def take(message: dict[str, Any]) -> None:
    device_id = message.get("src", "")
    status = message.get("params") or message.get("result") or {}
    status = status.get("device_status") or status
    for channel in CHANNELS:
        component = status.get(channel)
        if component and component.get("apower") is not None:
            await sample(device_id, channel, component)


async def sample(device_id: str, channel: str, component: dict[str, Any]) -> None:
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    state = known.get((device_id, channel))
    values = (
        float(component["apower"]),
        float(component.get("voltage") or 0),
        float(component.get("current") or 0),
        float((component.get("aenergy") or {}).get("total") or 0),
    )
    if values[0] <= THRESHOLD_W:
        if state:
            state.active = False
        return
    if state is None:
        known[device_id, channel] = Known(minute, values)
        await insert(minute, device_id, channel, values)
        return
    if state.active:
        while state.minute + MINUTE < minute:
            state.minute += MINUTE
            await insert(state.minute, device_id, channel, state.values)
    state.active, state.values = True, values
    if minute > state.minute:
        state.minute = minute
        await insert(minute, device_id, channel, values)


async def insert(minute: datetime, device_id: str, channel: str, values: tuple[float, ...]) -> None:
    await app.state.pool.execute(INSERT, minute, device_id, channel, *values)
