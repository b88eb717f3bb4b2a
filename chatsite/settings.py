"""Every setting, read once. The README's table lists those that start with PARLEY_."""

from __future__ import annotations

import os
from pathlib import Path

from chatsite.env import (
    env_bool,
    env_bytes,
    env_choice,
    env_float,
    env_int,
    env_list,
    env_mail_server,
    env_path,
    env_secret,
    env_str,
)

BASE_DIR = Path(__file__).resolve().parent.parent

# --- Parley's own (typed in chat/conf.py) -----------------------------------------------------------------------
PARLEY_DATA_DIR = env_path("PARLEY_DATA_DIR", BASE_DIR / "var")
PARLEY_MODELS_DIR = env_path("PARLEY_MODELS_DIR", BASE_DIR / "models")
PARLEY_MODEL = env_str("PARLEY_MODEL")
PARLEY_SYSTEM_PROMPT = env_str(
    "PARLEY_SYSTEM_PROMPT", "You are Parley's assistant. Answer briefly and truthfully."
)
PARLEY_TEMPERATURE = env_float("PARLEY_TEMPERATURE", 0.7, low=0, high=2)
PARLEY_MAX_TOKENS = env_int("PARLEY_MAX_TOKENS", 2048, low=1, high=1_000_000)
PARLEY_SLOTS = env_int("PARLEY_SLOTS", 4, low=1, high=64)
PARLEY_CONTEXT_TOKENS = env_int("PARLEY_CONTEXT_TOKENS", 0, low=0, high=10_000_000)
PARLEY_THREADS = env_int("PARLEY_THREADS", 0, low=0, high=1024)
PARLEY_GPU_LAYERS = env_int("PARLEY_GPU_LAYERS", -1, low=-1, high=10_000)
PARLEY_PREFIX_CACHE_MB = env_int("PARLEY_PREFIX_CACHE_MB", 512, low=0, high=1_000_000)
PARLEY_MODEL_MEMORY = env_bytes("PARLEY_MODEL_MEMORY")
PARLEY_MAX_QUEUE = env_int("PARLEY_MAX_QUEUE", 200, low=1, high=100_000)
PARLEY_API_REQUESTS_PER_MINUTE = env_int("PARLEY_API_REQUESTS_PER_MINUTE", 600, low=1, high=1_000_000)
PARLEY_UPLOAD_MAX_MB = env_int("PARLEY_UPLOAD_MAX_MB", 50, low=1, high=1000)
PARLEY_UPLOAD_QUOTA_MB = env_int("PARLEY_UPLOAD_QUOTA_MB", 1000, low=1, high=100_000_000)
PARLEY_TOOLS = env_list("PARLEY_TOOLS", ["calculator", "clock"])
PARLEY_MCP_CONFIG = env_str("PARLEY_MCP_CONFIG")
PARLEY_HUB_URL = env_str("PARLEY_HUB_URL", "https://huggingface.co")
PARLEY_HUB_TOKEN = env_str("PARLEY_HUB_TOKEN")
PARLEY_METRICS_TOKEN = env_str("PARLEY_METRICS_TOKEN")
PARLEY_ACCESS = env_choice("PARLEY_ACCESS", ["open", "login"])
PARLEY_SIGNUP = env_choice("PARLEY_SIGNUP", ["open", "closed"])
PARLEY_HTTPS = env_bool("PARLEY_HTTPS", default=False)
PARLEY_DEBUG = env_bool("PARLEY_DEBUG", default=False)

# --- Django -----------------------------------------------------------------------------------------------------
DEBUG = PARLEY_DEBUG
SECRET_KEY = env_secret("PARLEY_SECRET_KEY", PARLEY_DATA_DIR / "secret_key")
ALLOWED_HOSTS = env_list("PARLEY_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env_list("PARLEY_ORIGINS")
ROOT_URLCONF = "chatsite.urls"
ASGI_APPLICATION = "chatsite.asgi.application"
AUTH_USER_MODEL = "chat.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en"
TIME_ZONE = env_str("TZ", "UTC") or "UTC"
USE_TZ = True

INSTALLED_APPS = [
    "chat",
    "allauth",
    "allauth.account",
    "channels",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "chat.http.headers.HeadersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "chat.http.static.StaticMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "chat.http.actor.ActorMiddleware",
    "chat.http.errors.ChatErrorMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "chat.http.accounts.account_links",
            ],
        },
    }
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": PARLEY_DATA_DIR / "parley.sqlite3",
        "CONN_MAX_AGE": 0,
        "OPTIONS": {
            "timeout": 20,
            # WAL alone makes locking worse: 705 of 1,600 read-then-write transactions failed with DEFERRED,
            # none with this.
            "transaction_mode": "IMMEDIATE",
            "init_command": (
                "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;PRAGMA foreign_keys=ON;"
                "PRAGMA journal_size_limit=67108864;"
            ),
        },
        # On disk also in tests: several threads write at once, which an in-memory database does not allow.
        "TEST": {"NAME": PARLEY_DATA_DIR / f"test-{os.getpid()}.sqlite3"},
    }
}

CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"

_MAIL = env_mail_server("PARLEY_MAIL_SERVER")
EMAIL_HOST, EMAIL_PORT = _MAIL.host, _MAIL.port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _MAIL.user, _MAIL.password
EMAIL_USE_SSL = _MAIL.is_tls_from_start
EMAIL_USE_TLS = bool(_MAIL.user) and not _MAIL.is_tls_from_start
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env_str("PARLEY_MAIL_FROM", "parley@localhost")

# --- Accounts (django-allauth) ------------------------------------------------------------------------------------
ACCOUNT_ADAPTER = "chat.http.accounts.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
# An address serves only to reset a password, so it is asked for only where mail can be sent.
ACCOUNT_SIGNUP_FIELDS = ["username*", *(["email"] if EMAIL_HOST else []), "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # else anybody could have us write to anybody
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_RATE_LIMITS = {"first_admin": "20/m/ip"}  # besides allauth's own: 30 logins a minute and address, ...
# Behind a TLS proxy the last address in X-Forwarded-For is the one that the proxy itself has seen.
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if PARLEY_HTTPS else 0
# Rate limits live here: with Django's 300 entries a flood of addresses would push the counters out.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 20_000},
    }
}

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Served straight from `static/`, so that there is no collectstatic step before the first start.
WHITENOISE_USE_FINDERS = True
WHITENOISE_ALLOW_ALL_ORIGINS = False

# A form with 100,000 characters of four bytes, each written as %XX, is 1.2 MB.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
if PARLEY_HTTPS:
    SESSION_COOKIE_NAME = "__Host-sessionid"
    CSRF_COOKIE_NAME = "__Host-csrftoken"
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = ["^health/", "^metrics$"]  # asked by programs on this machine, past the proxy
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True

# --- Logs: one JSON object a line, or plain text on a terminal ----------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"parley": {"()": "chat.ops.logs.make_formatter"}},
    "filters": {"reported_once": {"()": "chat.ops.logs.ReportedOnce"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "parley"},
        "django": {"class": "logging.StreamHandler", "formatter": "parley", "filters": ["reported_once"]},
    },
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "chat": {"level": "INFO"},
        "mcp": {"level": "CRITICAL"},  # it logs what servers say; chat.tools.mcp tells what is wrong
        "django": {"handlers": ["django"], "level": "WARNING", "propagate": False},
    },
}
