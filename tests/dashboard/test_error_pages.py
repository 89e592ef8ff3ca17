"""What people see where there is nothing to see, in the style of the other pages."""

from typing import Any

import pytest
from django.template.loader import render_to_string
from django.test import Client


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/nothing/", "/dashboard/nothing/"])
def test_an_address_of_nothing_says_so(client: Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert "Nothing on this site has this address." in response.content.decode()
    assert "Log out" not in response.content.decode()


@pytest.mark.django_db
def test_a_form_from_elsewhere_is_not_accepted() -> None:
    response = Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "x"})
    assert response.status_code == 403
    assert "The form was not accepted" in response.content.decode()


def test_a_host_that_is_not_ours_is_not_understood(client: Client, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["collector.example"]
    response = client.get("/dashboard/", headers={"host": "elsewhere.example"})
    assert response.status_code == 400
    assert "This was not understood" in response.content.decode()


@pytest.mark.parametrize("name", ["400", "403", "403_csrf", "404", "500", "503", "login_busy"])
def test_every_error_page_can_do_without_a_request_and_a_database(name: str) -> None:
    # No django_db mark: a query of any kind would fail here.
    page = render_to_string(f"{name}.html")
    assert 'rel="stylesheet"' in page
    assert "<h1>" in page
    assert "<script" not in page
