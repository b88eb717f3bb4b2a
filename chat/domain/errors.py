"""The errors that a user may see. Each has a stable `code`, a `message` and a `hint` on what to do.

ChatError
├── InvalidInput            a field is missing, too long or out of bounds
├── NotFound                no such thing, or it is not the caller's
├── Unauthorized            no key, or one that is not good
├── NotAllowed              the caller is known but may not do this
├── Conflict                the conversation is already writing an answer
├── Overloaded              the queue is full: come back later (`retry_after_s`)
│   └── RateLimited         this caller has asked too often
├── Interrupted             the server stopped in the middle of an answer
├── ModelError
│   ├── ModelNotFound       no such model in the models folder
│   ├── ModelUnreadable     the file is truncated, hostile or not GGUF
│   ├── ModelUnsupported    a good file that this engine cannot run
│   ├── OutOfMemory         the model or its context does not fit
│   └── PullFailed          a model cannot be downloaded from the hub
├── PromptError
│   ├── ContextOverflow     the prompt is longer than the model's context
│   └── TemplateFailed      the model's chat template raised or ran too long
├── EngineFailed            the engine process died or stopped answering
└── ToolFailed              a tool raised, timed out or refused its input
"""

from __future__ import annotations


class ChatError(Exception):
    """An error with words for the user: what went wrong, and what they can do about it."""

    code = "error"
    default_hint = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.default_hint

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.message, self.hint)


class InvalidInput(ChatError):
    """A field is missing, too long or out of bounds; `field` is its name where there is one."""

    code = "invalid_input"

    def __init__(self, message: str, *, hint: str = "", field: str = "") -> None:
        super().__init__(message, hint=hint)
        self.field = field


class NotFound(ChatError):
    """No such thing, or it belongs to someone else: the two are never told apart."""

    code = "not_found"


class Unauthorized(ChatError):
    """No key, or one that is not good."""

    code = "unauthorized"
    default_hint = "Send an API key as 'Authorization: Bearer KEY'."


class NotAllowed(ChatError):
    """The caller is known but may not do this."""

    code = "not_allowed"


class Conflict(ChatError):
    """The conversation is already writing an answer."""

    code = "conflict"
    default_hint = "Wait for the answer to finish, or press Stop."


class Overloaded(ChatError):
    """Too many answers are waiting."""

    code = "overloaded"
    default_hint = "Try again in a moment."

    def __init__(self, message: str, *, hint: str = "", retry_after_s: int = 5) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class RateLimited(Overloaded):
    """This caller has asked too often."""

    code = "rate_limited"


class Interrupted(ChatError):
    """The server stopped in the middle of an answer."""

    code = "interrupted"
    default_hint = "Press Continue to go on from here."


class ModelError(ChatError):
    """Something is wrong with a model or its file."""

    code = "model_error"


class ModelNotFound(ModelError):
    """No such model in the models folder."""

    code = "model_not_found"
    default_hint = "Put a .gguf file into the models folder, or choose another model."


class ModelUnreadable(ModelError):
    """The file is truncated, hostile or not GGUF."""

    code = "model_unreadable"
    default_hint = "Download the file again, or choose another model."


class ModelUnsupported(ModelError):
    """A well-formed file that this engine cannot run."""

    code = "model_unsupported"
    default_hint = "Choose another model."


class OutOfMemory(ModelError):
    """The model or its context does not fit into memory."""

    code = "out_of_memory"
    default_hint = "Choose a smaller model, or lower PARLEY_CONTEXT_TOKENS."


class PullFailed(ModelError):
    """A model cannot be downloaded from the hub."""

    code = "pull_failed"


class PromptError(ChatError):
    """The prompt cannot be given to the model."""

    code = "prompt_error"


class ContextOverflow(PromptError):
    """The prompt is longer than the model's context."""

    code = "context_overflow"
    default_hint = "Shorten the message, or start a new chat."


class TemplateFailed(PromptError):
    """The model's chat template raised or ran too long."""

    code = "template_failed"
    default_hint = "The model file carries a broken chat template: choose another model."


class EngineFailed(ChatError):
    """The engine process died or stopped answering."""

    code = "engine_failed"
    default_hint = "Try again. If it happens again, choose another model."


class ToolFailed(ChatError):
    """A tool raised, timed out or refused its input."""

    code = "tool_failed"


def error_classes() -> dict[str, type[ChatError]]:
    """Every class of the tree by its code."""
    found: dict[str, type[ChatError]] = {}
    pending: list[type[ChatError]] = [ChatError]
    while pending:
        cls = pending.pop()
        found[cls.code] = cls
        pending.extend(cls.__subclasses__())
    return found


def error_from_code(code: str, message: str, hint: str = "") -> ChatError:
    """Rebuild an error that crossed a process border or was stored."""
    return _rebuild(error_classes().get(code, ChatError), message, hint)


def _rebuild(cls: type[ChatError], message: str, hint: str) -> ChatError:
    return cls(message, hint=hint)
