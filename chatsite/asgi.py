"""The ASGI entry point: HTTP to Django, WebSocket to Channels; starts the runtime, because Daphne sends no lifespan."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

# Only after Django is set up can models be imported.
from django.conf import settings  # noqa: E402

from chat.http.limits import Limits  # noqa: E402
from chat.http.turnstile import Turnstile  # noqa: E402
from chat.ops.access_log import AccessLog  # noqa: E402
from chat.ops.health import LiveProbe  # noqa: E402
from chat.runtime import get_runtime  # noqa: E402
from chat.web.routing import websocket_application  # noqa: E402

get_runtime().start()

router = ProtocolTypeRouter({"http": Turnstile(django_application), "websocket": websocket_application})
limited = Limits(
    router,
    max_body_bytes=settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
    max_upload_bytes=settings.PARLEY_UPLOAD_MAX_MB * 2**20 + settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
)
application = AccessLog(LiveProbe(limited))
