"""The app's registration with Django. Loads no model: `chatsite/asgi.py` starts the runtime."""

from django.apps import AppConfig


class ChatConfig(AppConfig):
    """The one app of the project."""

    name = "chat"
    verbose_name = "Parley"

    def ready(self) -> None:
        """Register the system checks."""
        from chat import checks  # noqa: F401  (importing registers them)
