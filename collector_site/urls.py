"""The addresses of the whole site."""

from django.contrib import admin
from django.urls import include, path
from django.utils.translation import gettext_lazy as _

admin.site.site_header = admin.site.site_title = _("Power collector")
admin.site.index_title = _("Logged minutes and users")
admin.site.site_url = "/dashboard/"

handler400 = "powerlog.monitoring.middleware.bad_request"
handler500 = "powerlog.monitoring.middleware.server_error"
urlpatterns = [
    path("", include("powerlog.urls")),
    path("admin/", admin.site.urls),
]
