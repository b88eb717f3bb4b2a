"""The sitemap of the chat: pages, runs and health on one screen."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
