"""What an MCP tool said, as text for the model: its words as they are, the rest by name."""

from __future__ import annotations

import json

from mcp.types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)

NOTHING_SAID = "(The tool said nothing.)"


def result_text(result: CallToolResult) -> str:
    """Never empty."""
    text = "\n".join(map(_block_text, result.content)).strip()
    if not text and result.structured_content is not None:
        text = json.dumps(result.structured_content, ensure_ascii=False)
    return text or NOTHING_SAID


def _block_text(block: ContentBlock) -> str:
    match block:
        case TextContent():
            return block.text
        case ImageContent() | AudioContent():
            return f"[{block.type}: {block.mime_type}, {_num_bytes(block.data):,} bytes]"
        case ResourceLink():
            return f"[link: {block.title or block.name}, {block.uri}]"
        case EmbeddedResource():
            return _resource_text(block.resource)


def _resource_text(resource: TextResourceContents | BlobResourceContents) -> str:
    if isinstance(resource, TextResourceContents):
        return f"[file: {resource.uri}]\n{resource.text}"
    return f"[file: {resource.uri}, {resource.mime_type or 'binary'}, {_num_bytes(resource.blob):,} bytes]"


def _num_bytes(base64_text: str) -> int:
    return len(base64_text) * 3 // 4
