"""All that the doctor looks at, in the order in which it is printed."""

from __future__ import annotations

from collections.abc import Iterator

from chat.conf import ChatConf
from chat.domain.errors import ModelNotFound
from chat.domain.sizes import size_text
from chat.engine.gguf import GgufMetadata
from chat.engine.memory import machine_memory
from chat.engine.model_files import ModelFile, chat_files
from chat.engine.model_folder import ModelFolder
from chat.ops.doctor.build import build_section, self_test_section
from chat.ops.doctor.findings import BandwidthFound, FailureFound, LibraryFound, ModelFound, SpeedFound
from chat.ops.doctor.machine import Processor, memory_section, processor_section, quota_hint, read_processor
from chat.ops.doctor.report import Section
from chat.ops.doctor.trial import Trial, try_model
from chat.runtime import engine_config, model_memory

# A smaller model stays in the processor's cache: memory does not limit it.
MIN_BYTES_FOR_LIMIT = 100 * 2**20
# On an idle machine eight tenths are usual; this far below something is wrong.
LOW_SHARE_OF_LIMIT = 0.4


def examine(conf: ChatConf, file: ModelFile) -> Iterator[Section]:
    """The sections, each as soon as it is known; the measurements take some seconds, with a large model minutes."""
    processor = read_processor()
    yield processor_section(processor)
    yield memory_section()
    yield self_test_section(file.path)
    trial = try_model(file.path, engine_config(conf))
    yield build_section(processor, trial.first(LibraryFound))
    yield model_section(conf, file, processor, trial)
    yield speed_section(file.metadata, trial)


def model_section(conf: ChatConf, file: ModelFile, processor: Processor, trial: Trial) -> Section:
    """The settings that an engine takes for the model, and the memory that it needs."""
    metadata = file.metadata
    memory = model_memory(conf)
    need, free_bytes = memory.need_of(metadata), machine_memory().free_bytes
    section = Section(f"Model {file.name}")
    section.facts = [
        ("file", f"{size_text(metadata.size_bytes)}, {metadata.architecture}, {metadata.quantization}"),
        ("slots", f"{conf.num_slots} with {need.context_tokens:,} tokens of context each"),
        ("needs memory", f"{size_text(need.total_bytes)}; {size_text(free_bytes)} are free"),
        ("models may take", size_text(memory.limit_bytes)),
    ]
    if found := trial.first(ModelFound):
        section.facts += [
            ("threads", f"up to {found.num_threads}, chosen while it computes"),
            ("attention", found.attention),
            ("loaded in", f"{found.load_s:.1f} s"),
        ]
        section.hints += filter(None, [quota_hint(processor, found.num_threads)])
    if need.total_bytes > min(free_bytes, memory.limit_bytes):
        section.hints.append(
            "More than there is: choose a smaller quantisation, or lower PARLEY_CONTEXT_TOKENS or PARLEY_SLOTS."
        )
    elif need.context_tokens < conf.context_tokens:
        section.hints.append(
            f"Less context than PARLEY_CONTEXT_TOKENS={conf.context_tokens}: the model or the memory allows no more."
        )
    return section


def speed_section(metadata: GgufMetadata, trial: Trial) -> Section:
    """What one answer alone may expect, beside what memory allows: each token reads all weights once."""
    section = Section("Speed")
    speed, bandwidth = trial.first(SpeedFound), trial.first(BandwidthFound)
    if bandwidth:
        section.facts.append(("memory", f"{bandwidth.bytes_per_s / 1e9:.1f} GB/s read"))
    if speed:
        section.facts += [
            ("reading", f"{speed.read_per_s:,.0f} tokens/s"),
            ("writing", f"{speed.written_per_s:,.1f} tokens/s behind {speed.depth_tokens} tokens"),
        ]
    if failure := trial.first(FailureFound):
        section.problems.append(f"{failure.message} {failure.hint}".strip())
    elif trial.death:
        section.problems.append(f"The trial of the model {trial.death}.")
    found = trial.first(ModelFound)
    is_on_processor = found is not None and not found.is_on_gpu
    if speed and bandwidth and is_on_processor and metadata.size_bytes >= MIN_BYTES_FOR_LIMIT:
        limit = bandwidth.bytes_per_s / metadata.size_bytes
        share = speed.written_per_s / limit
        section.facts.append(("limit of memory", f"{limit:,.1f} tokens/s; writing reaches {share:.0%} of it"))
        if share < LOW_SHARE_OF_LIMIT:
            section.hints.append(
                "Far below what memory allows: other programs compute, or the processor lacks fast instructions for "
                f"{metadata.quantization}. Try Q8_0 on processors with AMX, Q4_K_M elsewhere."
            )
    return section


def chosen_file(conf: ChatConf, name: str) -> ModelFile:
    """The model of this name; "" is the one that answers by default. Raises: ModelError."""
    folder = ModelFolder(conf.models_dir)
    if name := name or conf.default_model:
        return folder.chat_file(name).plain
    files = chat_files(folder.scan())
    if not files:
        raise ModelNotFound(
            f"There is no model to chat with in {conf.models_dir}.",
            hint="Run: manage.py models pull qwen3-0.6b",
        )
    return files[0].plain
