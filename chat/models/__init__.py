"""What is stored: one file per noun."""

from chat.models.access import Actor
from chat.models.api_key import ApiKey, Right
from chat.models.conversation import Conversation, ConversationTag, Message
from chat.models.documents import Chunk, Collection, Document, DocumentStatus, Placement
from chat.models.feedback import Feedback
from chat.models.flow import Flow
from chat.models.picture import Picture
from chat.models.review import AuditEntry, Review, ReviewNote
from chat.models.run import LoggedEvent, Run, RunStatus
from chat.models.sharing import ShareLink
from chat.models.user import User

__all__ = [
    "Actor",
    "ApiKey",
    "AuditEntry",
    "Chunk",
    "Collection",
    "Conversation",
    "ConversationTag",
    "Document",
    "DocumentStatus",
    "Feedback",
    "Flow",
    "LoggedEvent",
    "Message",
    "Picture",
    "Placement",
    "Review",
    "ReviewNote",
    "Right",
    "Run",
    "RunStatus",
    "ShareLink",
    "User",
]
