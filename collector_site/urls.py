"""The addresses of the whole site."""

from django.contrib import admin
from django.urls import include, path

admin.site.site_header = admin.site.site_title = "Power collector"
admin.site.index_title = "Logged minutes and users"
admin.site.site_url = "/dashboard/"

handler400 = "powerlog.outage.bad_request"
handler500 = "powerlog.outage.server_error"
urlpatterns = [
    path("", include("powerlog.urls")),
    path("admin/", admin.site.urls),
]
