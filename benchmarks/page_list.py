"""The pages that are timed, where they are, and within how many milliseconds each has to answer.

A new page is a line here. What stands in {braces} is looked up in the database that is filled: a
device and a channel of it, a run, days, a place in the middle of the lists.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import quote

import psycopg

LIST_MS = 100.0
EXPORT_MS = 2_000.0
EXPORTED_ROWS = 1_000_000


class Page(NamedTuple):
    """What it is, where, and within how many milliseconds. {…} are the words of `places`."""

    name: str
    url: str
    limit_ms: float
    export: bool = False


LOGS, RUNS, DAYS = (f"/admin/powerlog/{model}/" for model in ("powerlog", "run", "daytotal"))
MONTH = "since_0={month_ago}&since_1=&until_0={today}&until_1="
# In the database of a few hundred channels, and in that of a thousand.
YEAR_PAGES = (
    Page("minutes", LOGS, LIST_MS),
    Page("minutes, an older page", LOGS + "?before={older_minute}", LIST_MS),
    Page("minutes of a device", LOGS + "?device={device}", LIST_MS),
    Page("minutes of a channel", LOGS + "?device={device}&channel={channel}", LIST_MS),
    Page("minutes of all channels of a name", LOGS + "?channel=Pump+2", LIST_MS),
    Page("minutes of 30 days", LOGS + f"?{MONTH}", LIST_MS),
    Page("minutes of a device, a power", LOGS + "?device={device}&min_w=1500", LIST_MS),
    Page("minutes of a power that is rare", LOGS + "?min_w=1980", LIST_MS),
    Page("minutes of a power that never was", LOGS + "?min_w=99999", LIST_MS),
    Page("minutes, carried", LOGS + "?source=carried", LIST_MS),
    Page(
        "minutes, everything asked for",
        LOGS + f"?device={{device}}&channel={{channel}}&{MONTH}&min_w=300&max_w=2000&source=device",
        LIST_MS,
    ),
    Page("runs", RUNS, LIST_MS),
    Page("runs, an older page", RUNS + "?before={older_run}", LIST_MS),
    Page("runs of a device", RUNS + "?device={device}", LIST_MS),
    Page("runs, lost contact", RUNS + "?end=lost+contact", LIST_MS),
    Page("runs, still running", RUNS + "?end=open", LIST_MS),
    Page("runs of 20 minutes and more", RUNS + "?min_minutes=20", LIST_MS),
    Page("runs of 20 hours and more", RUNS + "?min_minutes=1200", LIST_MS),
    Page("day totals", DAYS, LIST_MS),
    Page("day totals of a device", DAYS + "?device={device}", LIST_MS),
    Page("day totals of 30 days", DAYS + "?since={month_ago}&until={today}", LIST_MS),
    Page("devices", "/admin/powerlog/device/", LIST_MS),
    Page("channels", "/admin/powerlog/channel/", LIST_MS),
    Page("the day", "/dashboard/?meter={meter}&day={yesterday}", 30.0),
    Page("the day, today", "/dashboard/?meter={meter}", 30.0),
    Page("the day, a run", "/dashboard/?run={run}", 30.0),
    Page("the day of a device", "/dashboard/?device={device}&day={yesterday}", 30.0),
    Page("the weeks: 30 days, 12 months", "/dashboard/weeks/?meter={meter}", 30.0),
    Page("the weeks, energy", "/dashboard/weeks/?meter={meter}&show=energy", 30.0),
    Page("live", "/dashboard/live/?meter={meter}", 30.0),
    Page("minutes of the day", "/dashboard/minutes/?meter={meter}&day={yesterday}", 30.0),
    Page("runs of the day, CSV", "/dashboard/runs.csv?meter={meter}&day={yesterday}", 30.0),
    Page(
        "export of a million minutes",
        LOGS + "export/?since_0={million}&since_1=&until_0={yesterday}&until_1=",
        EXPORT_MS,
        export=True,
    ),
    Page("export of the minutes of a device", LOGS + "export/?device={device}", EXPORT_MS, True),
    Page("export of all runs", RUNS + "export/", EXPORT_MS, export=True),
    Page("export of all day totals", DAYS + "export/", EXPORT_MS, export=True),
)
OVERVIEW_PAGES = (
    Page("overview", "/dashboard/", 150.0),
    Page("overview, live", "/dashboard/live/", 150.0),
    Page("devices", "/admin/powerlog/device/", LIST_MS),
    Page("channels", "/admin/powerlog/channel/", LIST_MS),
)


def places(database_url: str) -> dict[str, str]:
    """The words of the addresses: a device and a channel, a run, days, pages in the middle."""
    today = datetime.now(UTC).date()
    with psycopg.connect(database_url) as connection:

        def first(query: str, *values: Any) -> tuple[Any, ...]:
            return connection.execute(query, values).fetchone() or ()

        device, channel = first("SELECT device_id, channel FROM channels ORDER BY id DESC")
        (begin,) = first("SELECT min(timestamp) FROM power_logs")
        middle = begin + (datetime.now(UTC) - begin) / 2
        (rows,) = first("SELECT count(*) FROM power_logs WHERE timestamp >= %s", middle)
        minute = first(
            "SELECT timestamp, id FROM power_logs WHERE timestamp > %s ORDER BY 1", middle
        )
        a_run = first("SELECT started_at, id FROM runs WHERE started_at > %s ORDER BY 1", middle)
        (of_channel,) = first("SELECT max(id) FROM runs WHERE device_id = %s", device)
    a_day = max(1.0, rows / max(1, (today - middle.date()).days))
    words = {
        "device": device,
        "channel": channel,
        "meter": f"{device}/{channel}",
        "run": str(of_channel),
        "older_minute": cursor(*minute),
        "older_run": cursor(*a_run),
        "today": str(today),
        "yesterday": str(today - timedelta(days=1)),
        "month_ago": str(today - timedelta(days=29)),
        "million": str(days_ago(today, EXPORTED_ROWS / a_day)),
    }
    return {name: quote(word, safe="") for name, word in words.items()}


def cursor(moment: datetime, pk: int) -> str:
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat()}_{pk}"


def days_ago(today: date, days: float) -> date:
    return today - timedelta(days=-(-days // 1))
