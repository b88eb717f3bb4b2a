"""What names a model on the hub, and which file it means."""

from __future__ import annotations

import pytest

from chat.domain.errors import InvalidInput, PullFailed
from chat.hub.choice import HubFile, choose, variants_of
from chat.hub.known import KNOWN_MODELS
from chat.hub.names import HubName, parse_name

HUB = "http://127.0.0.1:9"


def files(*names: str) -> list[HubFile]:
    return [HubFile(name, 100 + number, "0" * 64) for number, name in enumerate(names)]


def chosen(name: str, *names: str) -> list[str]:
    return [file.path for file in choose(parse_name(name, HUB), files(*names)).files]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("maker/Tiny-GGUF", HubName("maker/Tiny-GGUF")),
        (" maker/Tiny-GGUF ", HubName("maker/Tiny-GGUF")),
        ("maker/Tiny-GGUF:q4_k_m", HubName("maker/Tiny-GGUF", quantization="q4_k_m")),
        ("maker/Tiny-GGUF/tiny.gguf", HubName("maker/Tiny-GGUF", "tiny.gguf")),
        ("maker/Tiny-GGUF/BF16/tiny.gguf", HubName("maker/Tiny-GGUF", "BF16/tiny.gguf")),
        ("hf.co/maker/Tiny-GGUF:Q8_0", HubName("maker/Tiny-GGUF", quantization="Q8_0")),
        ("https://huggingface.co/maker/Tiny-GGUF", HubName("maker/Tiny-GGUF")),
        (
            "https://huggingface.co/maker/Tiny-GGUF/blob/main/tiny.gguf",
            HubName("maker/Tiny-GGUF", "tiny.gguf"),
        ),
        (
            "https://huggingface.co/maker/Tiny-GGUF/resolve/v2/a/tiny.gguf?download=true",
            HubName("maker/Tiny-GGUF", "a/tiny.gguf", revision="v2"),
        ),
        ("http://127.0.0.1:9/maker/Tiny-GGUF/tree/main", HubName("maker/Tiny-GGUF")),
        ("Embedding", parse_name(KNOWN_MODELS["embedding"].source, HUB)),
    ],
)
def test_names_that_people_write(text: str, name: HubName) -> None:
    assert parse_name(text, HUB) == name
    assert parse_name(str(name), HUB).repo == name.repo


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tiny",
        "maker/",
        "../../etc/passwd",
        "maker/../secret.gguf",
        "maker/repo/../../x.gguf",
        "maker/repo/x\n.gguf",
        "maker/repo/.hidden.gguf",
        "maker/repo/C:\\x.gguf",
        "maker/repo/\u202egguf.exe.gguf",
        "maker/repo/model.safetensors",
        "maker/repo:Q4 K M",
        "https://elsewhere.example/maker/repo",
        "a/b" + "c" * 600,
        "maker/repo/" + "x" * 4000 + ".gguf",
    ],
)
def test_what_names_no_model_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_name(text, HUB)

    assert caught.value.field == "name"
    assert len(caught.value.message) < 600


class TestChoice:
    def test_four_bits_come_first_then_eight_then_the_only_one(self) -> None:
        assert chosen("a/b", "x-Q8_0.gguf", "x-Q4_K_M.gguf", "x-Q2_K.gguf") == ["x-Q4_K_M.gguf"]
        assert chosen("a/b", "x.Q2_K.gguf", "x.Q8_0.gguf") == ["x.Q8_0.gguf"]
        assert chosen("a/b", "README.md", "x.gguf", "mmproj-x-Q8_0.gguf") == ["x.gguf"]

    def test_the_quantization_that_is_asked_for(self) -> None:
        assert chosen("a/b:q2_k", "x-q8_0.gguf", "x-q2_k.gguf") == ["x-q2_k.gguf"]
        assert chosen("a/b:F16", "x-BF16.gguf", "x-f16.gguf") == ["x-f16.gguf"]

    def test_all_files_of_a_split_model_in_their_order(self) -> None:
        parts = [f"big-Q4_K_M-0000{number}-of-00003.gguf" for number in (1, 2, 3)]

        assert chosen("a/b", *reversed(parts), "big-Q4_K_M-00001-of-00009.gguf") == parts
        assert chosen(f"a/b/{parts[1]}", *parts) == parts
        assert variants_of(files(*parts))[0].name == "big-Q4_K_M"

    def test_a_file_that_is_named_is_taken_whatever_it_is(self) -> None:
        assert chosen("a/b/mmproj-x.gguf", "x-Q4_K_M.gguf", "mmproj-x.gguf") == ["mmproj-x.gguf"]

    @pytest.mark.parametrize(
        ("name", "message", "hint"),
        [
            ("a/b", "a/b has no model in Q4_K_M or Q8_0.", "There are: Q2_K, F16."),
            ("a/b:Q5_0", "a/b has no model in Q5_0.", "There are: Q2_K, F16."),
            ("a/b/y.gguf", "a/b has no file y.gguf.", "There are: Q2_K, F16."),
        ],
    )
    def test_what_is_not_there_is_told_with_what_is(self, name: str, message: str, hint: str) -> None:
        with pytest.raises(PullFailed) as caught:
            chosen(name, "x-Q2_K.gguf", "x-F16.gguf")

        assert (caught.value.message, caught.value.hint) == (message, hint)

    def test_a_repository_without_gguf_files_says_so(self) -> None:
        with pytest.raises(PullFailed, match="has no GGUF files"):
            chosen("a/b", "model.safetensors", "../x.gguf")
