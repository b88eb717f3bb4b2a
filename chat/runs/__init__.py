"""The one service: from a posted message to its last event."""
