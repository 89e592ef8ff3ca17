"""Rows that were there before there were day totals."""

from contextlib import closing
from pathlib import Path

from tests.support.servers import daphne, running, serve

OLD_ROW = """
INSERT INTO power_logs
    (timestamp, device_id, channel, apower_w, voltage_v, current_a, energy_total_wh)
VALUES ('2026-05-01 12:00:00+00:00', 'old', 'switch:2', 430, 230, 2, 10)
"""


def test_serve_counts_the_days_of_rows_that_were_not_counted(
    ready_database: str, tmp_path: Path
) -> None:
    with running(daphne(ready_database, tmp_path)) as server:
        with closing(server.connect()) as connection:
            connection.execute(OLD_ROW)
            connection.commit()
        assert server.stop() == 0
    for times in (1, 0):  # and not again at the next start
        with running(serve(ready_database, tmp_path)) as server:
            assert server.output.count("1 day total of 1 channel made anew") == times
            with closing(server.connect()) as connection:
                query = "SELECT device_id, active_minutes FROM day_totals"
                assert connection.execute(query).fetchall() == [("old", 1)]
            assert server.stop() == 0
