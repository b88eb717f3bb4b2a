"""From the request to what is asked, in our own words."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from chat.api.prediction.body import body_of, is_streaming
from chat.api.prediction.override import Override, override_of
from chat.api.prediction.uploads import TextFile, files_of
from chat.domain.errors import InvalidInput
from chat.domain.messages import ChatMessage, Role
from chat.http.body import Fields
from chat.models.conversation import EXTERNAL_ID_MAX_CHARS

MAX_HISTORY = 1_000
_ROLES: dict[str, Role] = {
    "apiMessage": "assistant",
    "assistant": "assistant",
    "ai": "assistant",
    "userMessage": "user",
    "user": "user",
    "human": "user",
}


@dataclass(frozen=True, slots=True)
class Prediction:
    """One question. `question` is as it was sent, `text` what the model is given: files first, then the question.

    `chat_id` and `session_id` are "" when the client leaves the choice to us.
    """

    question: str
    text: str
    is_streaming: bool
    chat_id: str
    session_id: str
    history: tuple[ChatMessage, ...]
    override: Override
    files: tuple[TextFile, ...]
    form: dict[str, Any]
    lead_email: str
    fingerprint: str

    @property
    def notes(self) -> dict[str, Any]:
        """What the stored question does not tell by itself."""
        notes: dict[str, Any] = {"fingerprint": self.fingerprint}
        if self.question != self.text.strip().replace("\x00", ""):  # which is what is stored
            notes["question"] = self.question
        if self.files:
            notes["files"] = [{"name": file.name, "mime": file.mime} for file in self.files]
        if self.lead_email:
            notes["leadEmail"] = self.lead_email
        return notes | ({"form": self.form} if self.form else {})


def prediction_of(request: HttpRequest) -> Prediction:
    """Raises: InvalidInput naming the field at fault."""
    body = body_of(request)
    fields = Fields(body.values)
    _refuse_unasked(fields)
    override = override_of(fields.object("overrideConfig"))
    question, form = fields.text("question", ""), fields.mapping("form")
    if question and form:
        fields.refuse("form", "must not be sent together with question")
    files = files_of(fields.objects("uploads"), body.files)
    chat_id = checked_id(fields.text("chatId", ""), "chatId")
    session_id = checked_id(override.session_id, "overrideConfig.sessionId")
    return Prediction(
        question=question,
        text=_text(question, form, files),
        is_streaming=is_streaming(body.values),
        chat_id=chat_id or session_id,
        session_id=session_id or chat_id,
        history=tuple(
            message for item in fields.objects("history", max_items=MAX_HISTORY) if (message := _turn(item))
        ),
        override=override,
        files=files,
        form=form,
        lead_email=checked_id(fields.text("leadEmail", ""), "leadEmail"),
        fingerprint=_fingerprint(body.values, files),
    )


def checked_id(text: str, name: str) -> str:
    """A chat's or session's name as clients choose it. Raises: InvalidInput."""
    if len(text) > EXTERNAL_ID_MAX_CHARS or not text.isprintable():
        raise InvalidInput(
            f"{name} must have at most {EXTERNAL_ID_MAX_CHARS} characters, all of them printable.", field=name
        )
    return text


def _refuse_unasked(fields: Fields) -> None:
    for name in ("humanInput", "action"):
        if fields.raw(name):
            fields.refuse(name, "has nothing to answer: this flow never stops to ask for approval")


def _text(question: str, form: dict[str, Any], files: tuple[TextFile, ...]) -> str:
    filled = "\n".join(f"{name}: {_shown(value)}" for name, value in form.items())
    text = "\n\n".join(part for part in (*(file.as_prompt for file in files), question or filled) if part)
    if not text.strip("\x00 \t\r\n"):
        raise InvalidInput("question is empty.", field="question")
    return text


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _turn(item: Fields) -> ChatMessage | None:
    """One message of `history` in either spelling; None for one without words."""
    role_field = "role" if "role" in item else "type"
    role = _ROLES[item.choice(role_field, tuple(_ROLES))]
    text = item.text("content" if "content" in item else "message", "").replace("\x00", "")
    return ChatMessage.of(role, text) if text else None


def _fingerprint(values: Any, files: tuple[TextFile, ...]) -> str:
    """The same for the same question again, streamed or not."""
    asked = {name: value for name, value in values.items() if name != "streaming"}
    sent = [(file.name, file.text) for file in files]
    return hashlib.sha256(json.dumps([asked, sent], sort_keys=True).encode()).hexdigest()
