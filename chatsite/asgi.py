"""The ASGI entry point: HTTP to Django, WebSocket to Channels; starts the runtime, because Daphne sends no lifespan."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

from chat.runtime import get_runtime  # noqa: E402  (models can be imported only after Django is set up)

get_runtime().start()

application = ProtocolTypeRouter({"http": django_application})
