"""The buttons "Good answer" and "Bad answer", and the form that asks why."""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.http import require_http_methods, require_POST

from chat.http.loaders import message_for
from chat.models import Feedback, Message
from chat.runs.feedback import MAX_CHARS, explain, feedback_on, rate, take_back
from chat.web.fragments import fragments, to_message
from chat.web.partials import partial
from chat.web.requests import PageRequest, is_htmx

REASONS = {
    Feedback.Rating.UP: ("Correct", "Clear", "Complete"),
    Feedback.Rating.DOWN: ("Wrong", "Beside the question", "Incomplete", "Hard to read", "Unsafe"),
}


@require_POST
def rate_answer(request: PageRequest, message_id: int, rating: str) -> HttpResponse:
    """`up` or `down`; then the page asks why."""
    message: Message = message_for(request.actor, message_id)
    feedback = rate(message, Feedback.Rating(rating))
    if is_htmx(request):
        return _changed(message, feedback, _rendered("feedback/_form.html", message, feedback))
    return render(request, "feedback/why.html", _context(message, feedback))


@require_POST
def take_rating_back(request: PageRequest, message_id: int) -> HttpResponse:
    """What a second press does."""
    message: Message = message_for(request.actor, message_id)
    take_back(message)
    return _changed(message, None, "") if is_htmx(request) else to_message(message.conversation, message_id)


@require_http_methods(["GET", "HEAD", "POST"])
def why(request: PageRequest, message_id: int) -> HttpResponse:
    """The form for the reason as a page, and its answer."""
    message: Message = message_for(request.actor, message_id)
    feedback = feedback_on(message)
    if feedback is None:
        raise Http404
    if request.method != "POST":
        return render(request, "feedback/why.html", _context(message, feedback))
    explain(feedback, _reason(request, feedback))
    if is_htmx(request):
        return _changed(message, feedback, _rendered("feedback/_thanks.html", message, feedback))
    return to_message(message.conversation, message_id)


def _reason(request: PageRequest, feedback: Feedback) -> str:
    """The chosen words in one line, then what was written."""
    offered = REASONS[Feedback.Rating(feedback.rating)]
    chosen = [reason for reason in offered if reason in request.POST.getlist("reason")]
    return "\n".join(filter(None, [", ".join(chosen), request.POST.get("text", "").strip()]))


def _changed(message: Message, feedback: Feedback | None, below: str) -> HttpResponse:
    buttons = render_to_string(
        "chat/actions/_feedback.html",
        {"message_id": message.pk, "rating": feedback.rating if feedback else ""},
    )
    return fragments(
        partial(f"#message-{message.pk}-rating", "outerHTML", buttons.strip()),
        partial(f"#message-{message.pk}-why", "innerHTML", below),
        partial("#problem", "innerHTML", ""),
    )


def _rendered(template: str, message: Message, feedback: Feedback) -> str:
    return render_to_string(template, _context(message, feedback))


def _context(message: Message, feedback: Feedback) -> dict[str, object]:
    rating = Feedback.Rating(feedback.rating)
    return {"message": message, "rating": rating, "reasons": REASONS[rating], "max_chars": MAX_CHARS}
