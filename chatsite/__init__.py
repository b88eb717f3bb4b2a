"""The Django project around the one app `chat`: settings, URLs and the ASGI entry point."""
