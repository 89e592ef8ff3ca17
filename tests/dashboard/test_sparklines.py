"""Today in miniature."""

from typing import Any

import pytest

from powerlog.dashboard.sparklines import HEIGHT, path, sparks
from powerlog.models import PowerLog
from tests.support.pumps import KEY, TODAY, minutes


def test_a_path_steps_from_quarter_to_quarter() -> None:
    assert path({0: 100.0, 1: 100.0, 2: 50.0}, 5) == f"M0 {HEIGHT}V0h2V12h1V24h2V{HEIGHT}z"


def test_what_returns_power_alone_has_no_height() -> None:
    assert path({0: -5.0}, 4) == ""
    assert path({}, 4) == ""


@pytest.mark.django_db
def test_many_channels_are_one_query(django_assert_num_queries: Any) -> None:
    PowerLog.objects.bulk_create(
        [
            *minutes(0, 15, apower_w=400.0),
            *minutes(30, 15, apower_w=200.0),
            *minutes(-1, 1, apower_w=9999.0),
            *minutes(1440, 1, apower_w=9999.0),
            *minutes(1439, 1, device_id="other"),
            *minutes(3, 1, device_id="not asked for"),
        ]
    )
    other = ("other", "switch:2")
    with django_assert_num_queries(1):
        found = sparks([KEY, other, ("nobody", "x")], TODAY)
    assert found == {KEY: "M0 24V0h1V24h1V12h1V24h93V24z", other: "M0 24V24h95V0h1V24z"}


def test_without_channels_nothing_is_asked() -> None:
    # No django_db mark: a query would fail here.
    assert sparks([], TODAY) == {}
