"""Words as they are indexed and asked for: what SQLite's tokenizer cannot do, done before it.

The tokenizer (porter unicode61) splits at what is no letter or digit, folds case and accents, and stems English. Here:
scripts without spaces become pairs of characters, identifiers and numbers stand in parts and whole, marks on letters of
other scripts go. The same is done to a question, so that both sides agree.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

# Longer ones are keys, hashes or base64: their beginning tells them apart.
MAX_WORD_CHARS = 64
MAX_TERMS = 32
# What is looked at of a question: the beginning and the end, where a question stands beside something pasted.
MAX_QUESTION_CHARS = 4_000
_NAME_CHARS = 3 + len('""')

# Han, kana, Hangul, Thai, Lao, Myanmar, Khmer: no spaces between words, or endings that grow onto them.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U0001b000-\U0001b16f\U00020000-\U000323af"
)
_RUN = re.compile(r"[^\W_]+(?:[-_.,]+[^\W_]+)*")
_PIECE = re.compile(rf"[{_UNSPACED}]+|[^\W_{_UNSPACED}]+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)+")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_IS_UNSPACED = re.compile(rf"[{_UNSPACED}]")
# Japanese writes its grammar in hiragana, and most of what it is about in other signs.
_IS_HIRAGANA = re.compile(r"[\u3040-\u309f]+")

# Words of a question whose answer is in no passage more than in the others.
_WHOLE = (
    "summar",
    "overview",
    "tldr",
    "gist",
    "document",
    "file",
    "pdf",
    "attach",
    "paper",
    "article",
    "report",
)

STOP_WORDS = frozenset(
    """
    a about actually after again ago all already also always am an and another any anybody anyone anything are
    aren as at be because been before being between both but by can cannot could couldn d did didn do does doesn
    doing don done each either else ever every few for from further get gets getting give given go goes going
    got had hadn has hasn have haven having he her here hers him his how i if in instead into is isn it its
    itself just kind let like ll lot ma many may maybe me might mine more most much must my need needs never no
    nor not now of off often on once one only or other our ours out over own per perhaps please quite rather re
    really s same say says see shall she should shouldn show since so some somebody someone something soon still
    such t tell than that the their theirs them then there these they thing things this those though through to
    too under until up upon us usually ve very want wants was wasn way we were weren what whatever when where
    whether which while who whom whose why will with within without won would wouldn yet you your yours
    explain describe help know mean means wonder wondering
    hello hi hey thanks thank okay ok yes bye goodbye cheers sorry good great nice morning evening
    """.split()
)


def spelled(text: str) -> str:
    """The words of a text for the table of words, with spaces between them."""
    return " ".join(_words(text))


def is_about_the_whole(question: str) -> bool:
    """Whether it asks for the document as such: "Summarise this", "What is the attached PDF about?"."""
    return any(word.startswith(_WHOLE) for word in _words(_ends(question)))


def has_content(question: str) -> bool:
    """Whether there is a word to look for. "Hello, how are you?" has none."""
    return not all(map(_is_stop_word, _words(_ends(question))))


def question_terms(question: str) -> list[str]:
    """What to look for: expressions for FTS5's MATCH, each of one word, none twice, at most MAX_TERMS.

    Stop words are left out; of a question that has no others, they make one phrase. Of a long text its beginning and
    end are taken. Empty when there is no word at all.
    """
    words = list(_without_tails(_words(_ends(question))))
    terms = _unique(_term(word) for word in words if not _is_stop_word(word))
    if not terms and words:
        return [f'"{" ".join(words[:MAX_TERMS])}"']
    return terms if len(terms) <= MAX_TERMS else terms[: MAX_TERMS // 2] + terms[-MAX_TERMS // 2 :]


def is_name(term: str) -> bool:
    """Whether this looks like the name of one thing: E17, px200, 2026. It says more than its rareness does."""
    return len(term) >= _NAME_CHARS and any(char.isdigit() for char in term)


def _is_stop_word(word: str) -> bool:
    return word in STOP_WORDS or _IS_HIRAGANA.fullmatch(word) is not None


def _ends(question: str) -> str:
    half = MAX_QUESTION_CHARS // 2
    return question if len(question) <= MAX_QUESTION_CHARS else f"{question[:half]} {question[-half:]}"


def _unique(terms: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(terms))


def _without_tails(words: Iterable[str]) -> Iterator[str]:
    """A run of an unspaced script ends in a single character, which its last pair holds already."""
    before = ""
    for word in words:
        if not (len(before) == 2 and before[1] == word and _IS_UNSPACED.match(word)):
            yield word
        before = word


def _term(word: str) -> str:
    """A single character of an unspaced script is looked for at the beginning of the pairs."""
    return f'"{word}"*' if len(word) == 1 and _IS_UNSPACED.match(word) else f'"{word}"'


def _words(text: str) -> Iterator[str]:
    for run in _RUN.findall(_without_marks(text)):
        if run.isascii() and run.isalnum() and (run[1:].islower() or run.isdigit()):
            yield _short(run)  # nearly all of prose: three times as fast
        else:
            yield from _words_of_run(run)


def _without_marks(text: str) -> str:
    """Composed, in standard width, and without vowel signs and accents that the tokenizer would split at."""
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKC", text)
    return text.translate({ord(char): None for char in set(text) if unicodedata.category(char)[0] == "M"})


def _words_of_run(run: str) -> Iterator[str]:
    """`foo_bar` is foo, bar and foobar; `fooBar` the same; 3.14 is 3, 14 and 3d14; 16,000 is 16, 000 and 16000."""
    pieces = _PIECE.findall(run)
    for piece in pieces:
        yield from _words_of_piece(piece)
    if _NUMBER.fullmatch(run):
        yield run.replace(",", "") if _THOUSANDS.fullmatch(run) else re.sub("[.,]+", "d", run)
        return
    for part in re.split("[.,]+", run):
        if "_" in part or "-" in part:
            yield _short("".join(re.split("[-_]+", part)))


def _words_of_piece(piece: str) -> Iterator[str]:
    if _IS_UNSPACED.match(piece):
        yield from (piece[at : at + 2] for at in range(len(piece)))
        return
    yield _short(piece)
    humps = _HUMP.split(piece) if len(piece) <= MAX_WORD_CHARS else []
    if len(humps) > 1:
        yield from (hump.casefold() for hump in humps)


def _short(word: str) -> str:
    return word[:MAX_WORD_CHARS].casefold()
