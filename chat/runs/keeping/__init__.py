"""Conversations as files: exported as Markdown and JSON, and imported, also those of other programs."""
