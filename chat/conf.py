"""Parley's settings as one typed, frozen value."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings

from chat.domain.params import SamplingParams


@dataclass(frozen=True, slots=True)
class ChatConf:
    """What `chatsite/settings.py` read from the environment; see the README's table for each."""

    data_dir: Path
    models_dir: Path
    default_model: str
    system_prompt: str
    params: SamplingParams
    num_slots: int
    context_tokens: int
    num_threads: int
    gpu_layers: int
    prefix_cache_bytes: int
    model_memory_bytes: int
    max_queue: int
    upload_max_bytes: int
    upload_quota_bytes: int
    tools: tuple[str, ...]
    mcp_config: Path | None
    hub_url: str
    hub_token: str = field(repr=False)
    metrics_token: str = field(repr=False)
    access: str
    signup: str
    is_https: bool
    is_debug: bool

    @classmethod
    def from_settings(cls) -> ChatConf:
        """Read Django's settings as they are now (tests override them)."""
        return cls(
            data_dir=settings.PARLEY_DATA_DIR,
            models_dir=settings.PARLEY_MODELS_DIR,
            default_model=settings.PARLEY_MODEL,
            system_prompt=settings.PARLEY_SYSTEM_PROMPT,
            params=SamplingParams(
                temperature=settings.PARLEY_TEMPERATURE, max_tokens=settings.PARLEY_MAX_TOKENS
            ),
            num_slots=settings.PARLEY_SLOTS,
            context_tokens=settings.PARLEY_CONTEXT_TOKENS,
            num_threads=settings.PARLEY_THREADS,
            gpu_layers=settings.PARLEY_GPU_LAYERS,
            prefix_cache_bytes=settings.PARLEY_PREFIX_CACHE_MB * 2**20,
            model_memory_bytes=settings.PARLEY_MODEL_MEMORY,
            max_queue=settings.PARLEY_MAX_QUEUE,
            upload_max_bytes=settings.PARLEY_UPLOAD_MAX_MB * 2**20,
            upload_quota_bytes=settings.PARLEY_UPLOAD_QUOTA_MB * 2**20,
            tools=tuple(settings.PARLEY_TOOLS),
            mcp_config=Path(settings.PARLEY_MCP_CONFIG).expanduser() if settings.PARLEY_MCP_CONFIG else None,
            hub_url=settings.PARLEY_HUB_URL,
            hub_token=settings.PARLEY_HUB_TOKEN,
            metrics_token=settings.PARLEY_METRICS_TOKEN,
            access=settings.PARLEY_ACCESS,
            signup=settings.PARLEY_SIGNUP,
            is_https=settings.PARLEY_HTTPS,
            is_debug=settings.PARLEY_DEBUG,
        )
