"""The sitemap of the chat: pages, runs and health on one screen."""

from django.urls import path

from chat.ops import health
from chat.web.first_admin import first_admin
from chat.web.urls import urlpatterns as page_urls

urlpatterns = [
    *page_urls,
    path("setup/<str:token>", first_admin, name="first_admin"),
    path("health/ready", health.ready, name="health_ready"),
]
