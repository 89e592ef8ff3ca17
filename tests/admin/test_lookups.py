"""The address of an admin list holds the lookups of its filters, and no others."""

import pytest
from django.test import Client

from powerlog.models import Device

pytestmark = pytest.mark.django_db

LISTS = ("powerlog/device", "powerlog/access", "powerlog/channel", "auth/user", "auth/group")


@pytest.mark.parametrize(
    "lookup",
    [
        "reported_name__regex=(a%2B)%2B%24",
        "reported_name__iregex=x",
        "token_hash__startswith=a",
        "token_hash=0",
        "last_seen_at__year=0",
        "first_seen_at__date=x",
        "admission__in=accepted",
        "channels__name__regex=x",
        "id__gt=0",
    ],
)
@pytest.mark.parametrize("page", ["device", "access"])
def test_a_lookup_that_no_filter_has_is_refused(
    admin_client: Client, page: str, lookup: str
) -> None:
    Device.objects.create(device_id="shelly-1", reported_name="a" * 40, token_hash="abc")
    assert admin_client.get(f"/admin/powerlog/{page}/?{lookup}").status_code == 400


@pytest.mark.parametrize("lookup", ["password__startswith=x", "username__regex=x", "id__lt=9"])
@pytest.mark.parametrize("page", ["user", "group"])
def test_also_in_the_lists_of_users(admin_client: Client, page: str, lookup: str) -> None:
    assert admin_client.get(f"/admin/auth/{page}/?{lookup}").status_code == 400


@pytest.mark.parametrize(
    "address",
    [
        "powerlog/access/?admission__exact=waiting",
        "powerlog/access/?token=yes",
        "powerlog/access/?q=shelly&admission__exact=accepted&o=1",
        "auth/user/?is_staff__exact=1",
        "auth/user/?groups__id__exact=1",
        "auth/user/?groups__isnull=True",
    ],
)
def test_a_filter_of_the_list_still_works(admin_client: Client, address: str) -> None:
    assert admin_client.get(f"/admin/{address}").status_code == 200


@pytest.mark.parametrize("page", LISTS)
def test_every_filter_that_a_list_offers_is_allowed(admin_client: Client, page: str) -> None:
    answer = admin_client.get(f"/admin/{page}/")
    changes = answer.context["cl"]
    for each in changes.filter_specs:
        for choice in each.choices(changes):
            query = choice["query_string"]
            assert admin_client.get(f"/admin/{page}/{query}").status_code == 200, query
