"""Names for many rows at once: the best one of each, and the id where there is none."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from powerlog.models import Channel, Device
from powerlog.search.names import Called, names_of, suggestions
from tests.test_models import row


@pytest.mark.django_db
def test_the_own_name_goes_before_that_in_the_shelly_and_before_the_id() -> None:
    pump = Device.objects.create(device_id="pump", name="Garden", reported_name="Shelly 7")
    other = Device.objects.create(device_id="other", reported_name="Shelly 8")
    Channel.objects.create(device=pump, channel="switch:1", name="Own", reported_name="O1")
    Channel.objects.create(device=pump, channel="switch:2", reported_name="O2")
    keys = [("pump", "switch:1"), ("pump", "switch:2"), ("other", "em:0"), ("gone", "switch:0")]
    rows = [row(device_id=device_id, channel=channel) for device_id, channel in keys] * 50
    with CaptureQueriesContext(connection) as queries:
        called = names_of(rows)
    assert len(queries) == 2
    assert called == {
        ("pump", "switch:1"): Called("Garden", "Own", pump.pk),
        ("pump", "switch:2"): Called("Garden", "O2", pump.pk),
        ("other", "em:0"): Called("Shelly 8", "em:0", other.pk),
        ("gone", "switch:0"): Called("gone", "switch:0", None),
    }
    offered = suggestions()
    assert offered == {"devices": ["Garden", "Shelly 8"], "channels": ["O2", "Own"]}
