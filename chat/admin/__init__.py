"""Django's admin, one file per noun: accounts to edit, keys and links to revoke, all else to look at."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from chat.admin import conversations, documents, flows, review, runs, sharing
from chat.models import User

__all__ = ["conversations", "documents", "flows", "review", "runs", "sharing"]

admin.site.site_header = admin.site.site_title = "Parley"
admin.site.index_title = "Administration"

admin.site.register(User, UserAdmin)
