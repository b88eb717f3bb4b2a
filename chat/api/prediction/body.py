"""The body of a prediction request as fields and files, whichever of the three content types carries it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParserError

from chat.domain.errors import ChatError, InvalidInput
from chat.http.body import TooLarge, json_object, parsed_value

FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")
FILE_FIELD = "files"
# In a form all values are strings; these hold JSON.
_JSON_FIELDS = ("overrideConfig", "history", "humanInput", "action", "form", "uploads")
_OTHER_FIELDS = ("question", "streaming", "chatId", "chatflowId", "leadEmail", "stopNodeId", "evaluation")
_KNOWN_FIELDS = frozenset((*_JSON_FIELDS, *_OTHER_FIELDS, "evaluationRunId"))


@dataclass(frozen=True, slots=True)
class Body:
    """`values` as they would stand in JSON."""

    values: Mapping[str, Any]
    files: tuple[UploadedFile[bytes], ...] = field(default=())


def body_of(request: HttpRequest) -> Body:
    """Raises: InvalidInput for what cannot be read."""
    if request.content_type not in FORM_TYPES:
        return Body(json_object(request))
    fields, files = form_of(request)
    values: dict[str, Any] = {name: value for name, value in fields.items() if name in _KNOWN_FIELDS}
    for name in _JSON_FIELDS:
        if name in values:
            values[name] = parsed_value(values[name], name) if values[name].strip() else None
    values["overrideConfig"] = _override(values.get("overrideConfig"), fields)
    return Body(values, files)


def form_of(request: HttpRequest) -> tuple[dict[str, str], tuple[UploadedFile[bytes], ...]]:
    """The fields and files of a form. Raises: InvalidInput, also for files under another name than `files`."""
    try:
        fields = {name: str(value).replace("\x00", "") for name, value in request.POST.items()}
        names = list(request.FILES)
    except RequestDataTooBig:
        raise TooLarge("The request body is too large.", hint="Send less at once.") from None
    except (BadRequest, MultiPartParserError, SuspiciousOperation, OSError) as exc:
        raise InvalidInput(f"The form cannot be read: {exc}") from exc
    for name in names:
        if name != FILE_FIELD:
            raise InvalidInput(f"Files are sent in the field {FILE_FIELD}, not {name[:80]}.", field=name[:80])
    return fields, tuple(request.FILES.getlist(FILE_FIELD))


def asks_for_stream(request: HttpRequest) -> bool:
    """Whether the body asks for a stream; False for one that cannot be read."""
    try:
        return is_streaming(body_of(request).values)
    except ChatError:
        return False


def is_streaming(values: Mapping[str, Any]) -> bool:
    """True for `true` and "true", as the clients send it; anything else is no."""
    return values.get("streaming") is True or values.get("streaming") == "true"


def _override(given: Any, fields: Mapping[str, str]) -> Any:
    """Form fields that are no field of the body are settings of the flow."""
    flat = {name: value for name, value in fields.items() if name not in _KNOWN_FIELDS}
    if given is None:
        return flat
    return flat | given if isinstance(given, dict) else given
