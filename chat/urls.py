"""The sitemap of the chat: pages, runs, APIs and health on one screen."""

from django.urls import path

from chat.api.docs.urls import urlpatterns as docs_urls
from chat.api.ndjson.urls import urlpatterns as ndjson_urls
from chat.api.openai.urls import unknown_urlpatterns as unknown_openai_urls
from chat.api.openai.urls import urlpatterns as openai_urls
from chat.api.prediction.urls import urlpatterns as prediction_urls
from chat.ops import health, metrics
from chat.web.first_admin import first_admin
from chat.web.urls import urlpatterns as page_urls

urlpatterns = [
    *page_urls,
    *prediction_urls,
    *openai_urls,
    *ndjson_urls,
    *docs_urls,
    *unknown_openai_urls,
    path("setup/<str:token>", first_admin, name="first_admin"),
    path("health/ready", health.ready, name="health_ready"),
    path("metrics", metrics.metrics, name="metrics"),
]
