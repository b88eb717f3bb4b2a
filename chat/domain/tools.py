"""Which tools are built in. `chat.tools.registry` knows how each is made."""

TOOL_NAMES = ("calculator", "clock", "fetch_url", "search_documents")
