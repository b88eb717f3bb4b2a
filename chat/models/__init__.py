"""What is stored: one file per noun."""

from chat.models.access import Actor
from chat.models.conversation import Conversation, Message
from chat.models.run import LoggedEvent, Run, RunStatus
from chat.models.user import User

__all__ = ["Actor", "Conversation", "LoggedEvent", "Message", "Run", "RunStatus", "User"]
