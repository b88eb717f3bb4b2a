"""Headers of every answer: what a page may load, who may frame it, and that private pages are not kept."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase

from chat.http.middleware import Middleware

_SELF = "'self'"
# `connect-src 'self'` covers WebSockets of the same host and port too (tried in Chromium).
_POLICY = {
    "default-src": "'none'",
    "script-src": _SELF,
    "style-src": _SELF,
    "img-src": _SELF,
    "connect-src": _SELF,
    "form-action": _SELF,
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}


def _policy(**changes: str) -> str:
    sources = _POLICY | {name.replace("_", "-"): value for name, value in changes.items()}
    return "; ".join(f"{name} {value}" for name, value in sources.items())


PAGE_POLICY = _policy()
# Django's admin sets inline styles and shows icons from data: URLs; its scripts are files.
ADMIN_POLICY = _policy(style_src="'self' 'unsafe-inline'", img_src="'self' data:")
ADMIN_PATH = "/admin/"
# Whoever has the address can read what is behind it: it goes to no other page, and into no index.
SHARE_PATH = "/s/"

PERMISSIONS_POLICY = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer",
        "browsing-topics",
        "camera",
        "display-capture",
        "geolocation",
        "gyroscope",
        "magnetometer",
        "microphone",
        "midi",
        "payment",
        "usb",
    )
)


class HeadersMiddleware(Middleware):
    """Adds what a view has not set itself. Stands first, so that also errors and static files carry them."""

    def answer(self, request: HttpRequest) -> HttpResponseBase:
        """On a thread."""
        return secure(request, self.get_response(request))

    async def answer_async(self, request: HttpRequest) -> HttpResponseBase:
        """On the event loop."""
        return secure(request, await self.get_response(request))


def secure(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Add the headers to `response`."""
    policy = ADMIN_POLICY if request.path.startswith(ADMIN_PATH) else PAGE_POLICY
    response.headers.setdefault("Content-Security-Policy", policy)
    response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
    response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    if request.path.startswith(SHARE_PATH):
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Robots-Tag"] = "noindex"
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    # Also the browser's own history: after a logout on a shared computer "Back" shows nothing.
    response.headers.setdefault("Cache-Control", "no-store")
    return response
