"""`manage.py check_runs` as an operator runs it, for a script that goes by its exit code."""

from contextlib import closing

from tests.support.servers import connect, manage

WRONG_RUN = """
INSERT INTO runs
    (device_id, channel, started_at, ended_at, energy_wh, mean_w, peak_w, "end", midnights)
VALUES ('pump', 'switch:2', '2026-05-01 12:00:00+00:00', '2026-05-01 12:02:00+00:00',
    81271, 2438130, 360, 'stopped', '[]')
"""


def test_the_exit_code_says_whether_anything_is_left(ready_database: str) -> None:
    with closing(connect(ready_database)) as connection:
        connection.execute(WRONG_RUN)
        connection.commit()
    for arguments, code in (((), 1), (("--repair",), 1), (("--repair", "peak"), 0), ((), 0)):
        done = manage("check_runs", *arguments, database_url=ready_database)
        assert done.returncode == code
        assert "Traceback" not in done.stderr
    with closing(connect(ready_database)) as connection:
        assert connection.execute("SELECT energy_wh FROM runs").fetchall() == [(12.0,)]
        assert connection.execute("SELECT energy_wh FROM day_totals").fetchall() == [(12.0,)]
