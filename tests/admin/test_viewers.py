"""The group `viewer`: staff who see logs, runs, days and devices, and change nothing."""

from datetime import UTC, date, datetime
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client

from powerlog.models import Channel, DayTotal, Device, PowerLog, Run
from tests.search.test_forms import run
from tests.test_models import row

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
SEEN = (PowerLog, Run, DayTotal, Device, Channel)
migration = import_module("powerlog.migrations.0004_viewers")


@pytest.fixture
def viewer(client: Client) -> Client:
    # A test that empties the tables may have been here.
    migration.make_viewers(apps, SimpleNamespace(connection=connection))
    user = User.objects.create_user("viewer", is_staff=True)
    user.groups.add(Group.objects.get(name="viewer"))
    client.force_login(user)
    row().save(), run()
    DayTotal.objects.create(device_id="pump", channel="switch:2", day=date(2026, 5, 1))
    device = Device.objects.create(device_id="pump", name="Pump")
    Channel.objects.create(device=device, channel="switch:2", name="Well")
    return client


@pytest.mark.django_db
def test_the_group_may_view_and_no_more(viewer: Client) -> None:
    group = Group.objects.get(name="viewer")
    assert {each.codename for each in group.permissions.all()} == {
        f"view_{model._meta.model_name}" for model in SEEN
    }


@pytest.mark.django_db
@pytest.mark.parametrize("model", SEEN)
def test_a_viewer_sees_every_list_and_changes_nothing(viewer: Client, model: type) -> None:
    address = f"/admin/powerlog/{model._meta.model_name}/"
    one = model.objects.get()
    before = model.objects.values().get()
    assert viewer.get(address).status_code == 200
    assert viewer.get(f"{address}{one.pk}/change/").status_code == 200
    sent = {"name": "changed", "apower_w": "1", "peak_w": "1"}
    assert viewer.post(f"{address}{one.pk}/change/", sent).status_code == 403
    assert viewer.post(f"{address}{one.pk}/delete/", {"post": "yes"}).status_code == 403
    assert viewer.post(f"{address}add/", sent).status_code == 403
    viewer.post(address, {"action": "delete_selected", "_selected_action": [one.pk]})
    assert model.objects.values().get() == before


@pytest.mark.django_db
def test_a_viewer_sees_the_dashboard_and_no_accounts(viewer: Client) -> None:
    assert viewer.get("/dashboard/").status_code == 200
    assert viewer.get("/admin/").status_code == 200
    assert viewer.get("/admin/auth/user/").status_code == 403
    assert viewer.get("/admin/auth/group/").status_code == 403


@pytest.mark.django_db
def test_a_user_who_is_no_staff_sees_nothing(client: Client) -> None:
    client.force_login(User.objects.create_user("nobody"))
    for address in ("/dashboard/", "/admin/powerlog/powerlog/"):
        assert client.get(address).status_code == 302
