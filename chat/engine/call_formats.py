"""The ways in which models write tool calls, as far as llama.cpp's templates show them."""

from __future__ import annotations

from chat.engine.call_format import CallFormat, CallSyntax, Ways
from chat.engine.json_calls import BareCall, JsonCalls, KeyedCalls, NamedCall
from chat.engine.literal_calls import GemmaCall, PythonCalls
from chat.engine.nested_tags import NestedTags
from chat.engine.tag_calls import TagCalls

_ID_BEHIND = r'("," gap "\"id\":" gap "\"" [A-Za-z0-9]{1,16} "\"")?'
_TYPE_BEFORE = r'("\"type\":" gap "\"function\"," gap)?'
_INDEX_BEFORE = r'"\"tool_call_id\":" gap "\"" [0-9]{1,3} "\"," gap'

OBJECT = JsonCalls()
LIST = JsonCalls(is_list=True)
LIST_WITH_IDS = JsonCalls(is_list=True, behind=_ID_BEHIND)
ARGS = NamedCall("[ARGS]", id_mark="[CALL_ID]", id_behind='("[CALL_ID]" [A-Za-z0-9]{1,16})?')
SEPARATED = NamedCall("<｜tool▁sep｜>")
FENCED = NamedCall("\n```json\n", before="function<｜tool▁sep｜>", fence="```")


def functions(pad: str = "\n") -> TagCalls:
    """`<function=look><parameter=place>Rome</parameter></function>`."""
    return TagCalls(
        head=("<function=", ">"),
        key=("<parameter=", ">"),
        end="</parameter>",
        tail="</function>",
        pad=pad,
    )


def arg_keys(ending: str = "", head_end: str = "") -> TagCalls:
    """`look<arg_key>place</arg_key><arg_value>Rome</arg_value>`, with an ending in each tag."""
    return TagCalls(
        head=("", head_end),
        key=(f"<arg_key{ending}>", f"</arg_key{ending}>"),
        text=f"<arg_value{ending}>",
        other=(f"<arg_value{ending}>",),
        end=f"</arg_value{ending}>",
    )


def invokes(
    block: str, prefix: str = "", text: str = "", other: str = "", breaks: tuple[str, ...] = ()
) -> CallFormat:
    """A block of `<invoke name="look">` and `<parameter name="place">`, with a prefix in each tag.

    `text` and `other` are attributes for parameters that are text and that are not.
    """
    syntax = TagCalls(
        head=(f'<{prefix}invoke name="', '">'),
        key=(f'<{prefix}parameter name="', '" ' if text else '">'),
        text=f"{text}>" if text else "",
        other=(f"{other}>" if other else "",),
        end=f"</{prefix}parameter>",
        tail=f"</{prefix}invoke>",
        has_many=True,
    )
    return CallFormat(f"<{block}>", f"</{block}>", syntax, breaks)


def tagged(syntax: CallSyntax) -> CallFormat:
    """Between `<tool_call>` and its end, also as Hermes and Qwen write it."""
    return CallFormat("<tool_call>", "</tool_call>", Ways(syntax, (OBJECT,)))


def typed_invokes(block: str) -> CallFormat:
    """As DeepSeek writes them since 3.2."""
    return invokes(f"｜DSML｜{block}", "｜DSML｜", 'string="true"', 'string="false"')


# Understood everywhere: models whose template knows no tools are asked in words to write calls like this.
TAGGED = CallFormat("<tool_call>", "</tool_call>", Ways(OBJECT, (functions(),)))

TAGGED_FUNCTION = tagged(functions())
TAGGED_ARG_KEYS = tagged(arg_keys())
HUNYUAN = CallFormat(
    "<tool_call:opensource>", "</tool_call:opensource>", arg_keys(":opensource", "<tool_sep:opensource>")
)
SEED = CallFormat("<seed:tool_call>", "</seed:tool_call>", functions(pad=""))
MINICPM = CallFormat(
    '<function name="',
    "</function>",
    TagCalls(
        head=("", '">'),
        key=('<param name="', '">'),
        end="</param>",
        wrap=("<![CDATA[", "]]>"),
    ),
)
KIMI = CallFormat(
    "<|tool_call_begin|>",
    "<|tool_call_end|>",
    NamedCall("<|tool_call_argument_begin|>", prefix="functions.", id_mark=":", id_behind='":" [0-9]{1,3}'),
)
KIMI_K3 = CallFormat(
    '<|open|>call tool="',
    "<|close|>call<|sep|>",
    TagCalls(
        head=("", '" index="', '"<|sep|>'),
        key=('<|open|>argument key="', '" '),
        text='type="string"<|sep|>',
        other=tuple(f'type="{kind}"<|sep|>' for kind in ("number", "boolean", "object", "array", "null")),
        end="<|close|>argument<|sep|>",
    ),
)
SOLAR = CallFormat(
    "<|tool_call:begin|>",
    "<|tool_call:end|>",
    NamedCall("<|tool_call:args|>", before="<|tool_call:name|>", id_before="[A-Za-z0-9_-]{1,24}"),
)

MISTRAL_LIST = CallFormat("[TOOL_CALLS]", "", Ways(LIST_WITH_IDS, (ARGS,)), has_rest=True)
MISTRAL_ARGS = CallFormat("[TOOL_CALLS]", "", Ways(ARGS, (LIST_WITH_IDS,)), has_rest=True)
DEEPSEEK_R1 = CallFormat("<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>", Ways(FENCED, (SEPARATED,)))
DEEPSEEK = CallFormat("<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>", Ways(SEPARATED, (FENCED,)))
PYTHON_TAG = CallFormat(
    "<|python_tag|>",
    "",
    JsonCalls(arguments="parameters", before=_TYPE_BEFORE, between='";" gap'),
)
BARE = CallFormat("", "", BareCall(arguments="parameters", before=_TYPE_BEFORE), has_rest=True)

GEMMA = CallFormat("<|tool_call>", "<tool_call|>", GemmaCall())
LFM = CallFormat("<|tool_call_start|>", "<|tool_call_end|>", PythonCalls())
COHERE = CallFormat(
    "<|START_ACTION|>",
    "<|END_ACTION|>",
    JsonCalls(name="tool_name", arguments="parameters", is_list=True, before=_INDEX_BEFORE),
)
# Answers are the call of a tool, too: "directly-answer".
COMMAND_R = CallFormat(
    "Action:\n```json\n",
    "```",
    JsonCalls(name="tool_name", arguments="parameters", is_list=True),
    is_guarded=False,
)
APERTUS = CallFormat("<|tools_prefix|>", "<|tools_suffix|>", KeyedCalls(is_list=True))
TOOL_CALLS_LIST = CallFormat("<tool_calls>", "</tool_calls>", LIST_WITH_IDS)
TOOL_CALLS_LINES = CallFormat("<tool_calls>", "</tool_calls>", JsonCalls(between='"\\n"'))
MINIMAX_M3 = CallFormat(
    "]<]minimax[>[<tool_call>", "]<]minimax[>[</tool_call>", NestedTags("]<]minimax[>["), is_guarded=False
)
TOOLCALL = CallFormat("<TOOLCALL>", "</TOOLCALL>", LIST)
GRANITE = CallFormat("<|tool_call|>", "", LIST, has_rest=True)
FUNCTOOLS = CallFormat("functools[", "", JsonCalls(is_list=True, taken="["), has_rest=True)
GIGACHAT = CallFormat("<|message_sep|>\n\nfunction call<|role_sep|>\n", "", OBJECT, has_rest=True)
GIGACHAT_3_1 = CallFormat("<|function_call|>", "", OBJECT, has_rest=True)
FUNCTIONARY = CallFormat("<function=", "</function>", NamedCall(">"))
FUNCTIONARY_3_2 = CallFormat(">>>", "", NamedCall("\n"), has_rest=True)
