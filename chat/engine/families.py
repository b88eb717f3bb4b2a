"""The families of chat models: how each writes thoughts and tool calls, and what in a template gives it away."""

from __future__ import annotations

from dataclasses import dataclass

from chat.engine import call_formats as formats
from chat.engine.channel_calls import HARMONY, MUSE
from chat.engine.channel_parser import ChannelStyle
from chat.engine.marker_parser import MarkerStyle


@dataclass(frozen=True, slots=True)
class Family:
    """A template that holds all the signs belongs to it."""

    name: str
    signs: tuple[str, ...]
    style: MarkerStyle | ChannelStyle


_HERMES = MarkerStyle((formats.TAGGED,))
_DEEPSEEK_SECTION = ("<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>")

# The first that fits counts: what only one family writes stands before what several do.
_TABLE = (
    Family("gpt-oss", ("<|channel|>",), HARMONY),
    Family("muse", ("<atem:function_calls>",), MUSE),
    Family(
        "magistral",
        ("[THINK]",),
        MarkerStyle((formats.MISTRAL_ARGS, formats.TAGGED), think=("[THINK]", "[/THINK]")),
    ),
    Family("mistral-args", ("[ARGS]",), MarkerStyle((formats.MISTRAL_ARGS, formats.TAGGED))),
    Family("mistral", ("[TOOL_CALLS]",), MarkerStyle((formats.MISTRAL_LIST, formats.TAGGED))),
    Family(
        "deepseek-r1",
        ("<｜tool▁call▁begin｜>", "```json"),
        MarkerStyle((formats.DEEPSEEK_R1, formats.TAGGED), ignored=_DEEPSEEK_SECTION),
    ),
    Family(
        "deepseek",
        ("<｜tool▁call",),
        MarkerStyle((formats.DEEPSEEK, formats.TAGGED), ignored=_DEEPSEEK_SECTION),
    ),
    Family(
        "deepseek-dsml",
        ("DSML",),
        MarkerStyle(
            (formats.typed_invokes("function_calls"), formats.typed_invokes("tool_calls"), formats.TAGGED)
        ),
    ),
    Family(
        "hunyuan",
        ("<arg_key{}>",),
        MarkerStyle(
            (formats.HUNYUAN, formats.TAGGED),
            think=("<think:opensource>", "</think:opensource>"),
            ignored=("<tool_calls:opensource>", "</tool_calls:opensource>"),
        ),
    ),
    Family("glm", ("<arg_key>",), MarkerStyle((formats.TAGGED_ARG_KEYS,))),
    Family(
        "gemma4",
        ("<|tool_call>",),
        MarkerStyle(
            (formats.GEMMA, formats.TAGGED),
            think=("<|channel>thought", "<channel|>"),
            ignored=("<|tool_response>",),
        ),
    ),
    Family(
        "kimi-k3",
        ("<|sep|>", "<|open|>"),
        MarkerStyle(
            (formats.KIMI_K3, formats.TAGGED),
            think=("<|open|>think<|sep|>", "<|close|>think<|sep|>"),
            answer="<|open|>response<|sep|>",
            ignored=(
                *("<|open|>response<|sep|>", "<|close|>response<|sep|>", "<|close|>message<|sep|>"),
                *("<|open|>tools<|sep|>", "<|close|>tools<|sep|>"),
            ),
        ),
    ),
    Family(
        "kimi",
        ("<|tool_call_begin|>",),
        MarkerStyle(
            (formats.KIMI, formats.TAGGED),
            ignored=("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"),
        ),
    ),
    Family(
        "solar",
        ("<|tool_call:begin|>",),
        MarkerStyle(
            (formats.SOLAR, formats.TAGGED),
            think=("<|think|>", "<|end|>"),
            answer="<|content|>",
            ignored=("<|begin|>assistant", "<|content|>", "<|tool_calls|>", "<|calls|>", "<|end|>"),
        ),
    ),
    Family("lfm2", ("List of tools: ",), MarkerStyle((formats.LFM, formats.TAGGED))),
    Family(
        "cohere",
        ("<|START_ACTION|>",),
        MarkerStyle(
            (formats.COHERE, formats.TAGGED),
            think=("<|START_THINKING|>", "<|END_THINKING|>"),
            answer="<|START_RESPONSE|>",
            ignored=("<|START_RESPONSE|>", "<|END_RESPONSE|>", "<|START_TEXT|>", "<|END_TEXT|>"),
        ),
    ),
    Family("command-r", ("directly-answer",), MarkerStyle((formats.COMMAND_R, formats.TAGGED))),
    Family(
        "apertus",
        ("<|tools_prefix|>",),
        MarkerStyle((formats.APERTUS, formats.TAGGED), think=("<|inner_prefix|>", "<|inner_suffix|>")),
    ),
    Family(
        "apriel",
        ("[BEGIN FINAL RESPONSE]",),
        MarkerStyle(
            (formats.TOOL_CALLS_LIST, formats.TAGGED),
            think=("Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]"),
            ignored=("[END FINAL RESPONSE]",),
        ),
    ),
    Family("minimax-m1", ("<tool_calls>",), MarkerStyle((formats.TOOL_CALLS_LINES, formats.TAGGED))),
    Family(
        "minimax-m2",
        ("<minimax:tool_call>",),
        MarkerStyle((formats.invokes("minimax:tool_call"), formats.TAGGED)),
    ),
    Family(
        "minimax-m3",
        ("]<]minimax[>[",),
        MarkerStyle(
            (formats.MINIMAX_M3, formats.TAGGED),
            think=("<mm:think>", "</mm:think>"),
            ignored=("</mm:think>",),  # how it says that it does not think
        ),
    ),
    Family("nemotron", ("<TOOLCALL>",), MarkerStyle((formats.TOOLCALL, formats.TAGGED))),
    Family(
        "granite",
        ("<|tool_call|>",),
        MarkerStyle((formats.GRANITE, formats.TAGGED), ignored=("<|/tool_call|>",)),
    ),
    Family("firefunction", ("functools[",), MarkerStyle((formats.FUNCTOOLS, formats.TAGGED))),
    Family(
        "gigachat",
        ("<|function_call|>",),
        MarkerStyle((formats.GIGACHAT_3_1, formats.TAGGED), ignored=("<|message_sep|>",)),
    ),
    Family(
        "gigachat-3.0",
        ("'function call'", "role_sep"),
        MarkerStyle((formats.GIGACHAT, formats.TAGGED)),
    ),
    Family(
        "seed",
        ("<seed:tool_call>",),
        MarkerStyle((formats.SEED, formats.TAGGED), think=("<seed:think>", "</seed:think>")),
    ),
    Family("minicpm", ('<function name="',), MarkerStyle((formats.MINICPM, formats.TAGGED))),
    Family("qwen-coder", ("<tool_call>", "<function="), MarkerStyle((formats.TAGGED_FUNCTION,))),
    Family("hermes", ("<tool_call>",), _HERMES),
    Family(
        "functionary-3.2",
        (">>>all",),
        MarkerStyle(
            (formats.FUNCTIONARY_3_2, formats.TAGGED), answer="all\n", ignored=(">>>all\n",), lead=">>>"
        ),
    ),
    Family(
        "functionary",
        ("<function=",),
        MarkerStyle((formats.FUNCTIONARY, formats.PYTHON_TAG, formats.TAGGED)),
    ),
    Family(
        "llama3",
        ("<|start_header_id|>",),
        MarkerStyle((formats.PYTHON_TAG, formats.TAGGED), bare=formats.BARE),
    ),
)

STYLES: dict[str, MarkerStyle | ChannelStyle] = {family.name: family.style for family in _TABLE}
FAMILIES = tuple(STYLES)


def family_of(template_source: str) -> str:
    """The family whose way of writing a chat template shows; "hermes" where nothing shows."""
    fitting = (family.name for family in _TABLE if all(sign in template_source for sign in family.signs))
    return next(fitting, "hermes")
