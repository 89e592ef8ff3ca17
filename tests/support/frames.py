"""Frames in the shapes in which Shellys of several models and ages send them."""

import json
from typing import Any

PUMP = "shellypro4pm-0a1b2c3d4e5f"
# A full minute, so that the arithmetic of the tests can be read: T0 + 60 is the next one.
T0 = 1_750_000_020


def text(**message: Any) -> str:
    return json.dumps(message, separators=(",", ":"))


def delta(ts: float | None, device_id: str = PUMP, **components: Any) -> str:
    """NotifyStatus; a keyword switch_2 is the component switch:2."""
    return _notify("NotifyStatus", ts, device_id, components)


def full(ts: float | None, device_id: str = PUMP, **components: Any) -> str:
    return _notify("NotifyFullStatus", ts, device_id, components)


def answer(device_id: str = PUMP, **components: Any) -> str:
    """The response to Shelly.GetStatus: no ts."""
    return text(id=2, src=device_id, dst="collector", result=_keys(components))


def _notify(method: str, ts: float | None, device_id: str, components: dict[str, Any]) -> str:
    params = ({} if ts is None else {"ts": ts}) | _keys(components)
    return text(src=device_id, dst="ws", method=method, params=params)


def _keys(components: dict[str, Any]) -> dict[str, Any]:
    return {
        ":".join(key.rsplit("_", 1)) if key[-1].isdigit() else key: value
        for key, value in components.items()
    }


def meter(
    apower: float | None, total: float | None = None, voltage: float = 229.4, **more: Any
) -> dict[str, Any]:
    """A switch as firmware 1.5 and later reports it in full."""
    current = round((apower or 0) / voltage / 0.8, 3)
    component = {"output": True, "apower": apower, "voltage": voltage, "current": current}
    if total is not None:
        by_minute = [round((apower or 0) / 0.06, 3)] * 3
        component["aenergy"] = {"total": total, "by_minute": by_minute, "minute_ts": T0}
    return component | more


NO_HANDLER = text(
    id=1, src=PUMP, dst="collector", error={"code": 404, "message": "No handler for NotifyStatus"}
)

# One status object per model, by the name of the model.
STATUS: dict[str, dict[str, Any]] = {
    "Pro 4PM, firmware 1.7": {
        "ble": {},
        "cloud": {"connected": True},
        "input:0": {"id": 0, "state": False},
        "switch:0": {"id": 0, "source": "init"} | meter(21.4, 281_000.115),
        "switch:1": {"id": 1, "source": "init"} | meter(0.0, 12.5, output=False),
        "switch:2": {"id": 2, "source": "SHC"} | meter(447.2, 4_711.25),
        "switch:3": {"id": 3, "source": "init"} | meter(1.3, 630.77),
        "sys": {"mac": "0A1B2C3D4E5F", "unixtime": T0, "uptime": 91, "available_updates": {}},
        "wifi": {"sta_ip": "198.51.100.7", "rssi": -58},
        "ws": {"connected": True},
    },
    "Plus 1PM, firmware 1.1": {
        "switch:0": {
            "aenergy": {"by_minute": [0.0, 0.0, 0.0], "minute_ts": T0 - 1, "total": 98.101},
            "apower": 0.0,
            "current": 0.0,
            "id": 0,
            "output": False,
            "source": "WS_in",
            "temperature": {"tC": 29.9, "tF": 85.8},
            "voltage": 231.0,
        },
        "sys": {"mac": "0A1B2C3D4E60", "unixtime": T0 + 2, "uptime": 2_600_000},
    },
    "1PM Mini Gen3": {"switch:0": {"id": 0, "apower": 6, "voltage": 232, "current": 0}},
    "Plus 2PM as a cover": {
        "cover:0": {
            "id": 0,
            "state": "stopped",
            "apower": 0,
            "voltage": 236.9,
            "current": 0,
            "aenergy": {"total": 3.2, "by_minute": [0, 0, 0], "minute_ts": T0},
            "last_direction": None,
        }
    },
    "Pro 3EM, three phases": {
        "em:0": {
            "id": 0,
            "a_voltage": 0,
            "a_act_power": 0,
            "c_current": 0.07,
            "c_voltage": 232.1,
            "c_act_power": 7.1,
            "n_current": None,
            "total_current": 0.11,
            "total_act_power": 7.08,
        },
        "emdata:0": {
            "id": 0,
            "a_total_act_energy": 12.5,
            "c_total_act_energy": 44_987.6,
            "total_act": 45_000.1,
            "total_act_ret": 0,
        },
    },
    "Pro 3EM, single phases": {
        "em1:0": {"id": 0, "voltage": 0, "current": 0.028, "act_power": 0, "pf": 0},
        "em1:2": {"id": 2, "voltage": 234.4, "current": 0.068, "act_power": 6.5, "pf": 0.41},
        "em1data:0": {"id": 0, "total_act_energy": 0.01, "total_act_ret_energy": 0},
        "em1data:2": {"id": 2, "total_act_energy": 0.15, "total_act_ret_energy": 0},
    },
    "EM Gen3": {
        "em1:0": {"id": 0, "voltage": 234.0, "current": 0.04, "act_power": 4.2, "pf": 0.4},
        "em1data:0": {"id": 0, "total_act_energy": 43_000.5},
        "switch:0": {"id": 0, "source": "init", "output": False, "temperature": {"tC": 50}},
    },
    "Pro 3 without a meter": {
        "switch:0": {"id": 0, "output": True, "source": "WS_in", "temperature": {"tC": 37.1}},
    },
    "RGBW PM, four lights": {
        "light:0": {"id": 0, "output": False, "brightness": 1, "voltage": 12.3, "flags": []},
    },
    "Plus Uni with a pulse counter": {
        "input:2": {"id": 2, "counts": {"total": 4_000_000, "by_minute": [1990, 2700, 1980]}},
        "switch:0": {"id": 0, "source": "SHC", "output": False},
    },
    "Plus H&T, asleep": {
        "devicepower:0": {"id": 0, "battery": {"V": 5.6, "percent": 80}},
        "humidity:0": {"id": 0, "rh": 19.4},
        "temperature:0": {"id": 0, "tC": 25.5},
        "sys": {"mac": "0A1B2C3D4E61", "time": None, "unixtime": None, "uptime": 1},
    },
}
