"""The self-test of a compiled llama.cpp, run in a child process because a bad build ends in a signal.

`native_check.py [--plain-buffers] [MODEL]` loads the library and, with a model, decodes a few tokens.
It prints llama.cpp's own description of the processor. Plain buffers switch off AMX and repacked weights.
"""

import argparse
import ctypes

import llama_cpp


def main() -> None:
    """Ends with status 0 when the library works, with an exception or a signal when it does not."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--plain-buffers", action="store_true")
    parser.add_argument("model", nargs="?")
    options = parser.parse_args()
    llama_cpp.llama_backend_init()
    print(llama_cpp.llama_print_system_info().decode())
    if options.model:
        decode_once(options.model, use_extra_bufts=not options.plain_buffers)


def decode_once(model_path: str, *, use_extra_bufts: bool) -> None:
    """Loads the model and decodes a batch large enough for the matrix kernels, then a single token."""
    params = llama_cpp.llama_model_default_params()
    params.use_extra_bufts = use_extra_bufts
    model = llama_cpp.llama_model_load_from_file(model_path.encode(), params)
    if not model:
        raise SystemExit(f"cannot load {model_path}")
    context_params = llama_cpp.llama_context_default_params()
    context_params.n_ctx = 256
    context_params.n_threads = context_params.n_threads_batch = 2
    context = llama_cpp.llama_init_from_model(model, context_params)
    for num_tokens in (64, 1):
        tokens = (ctypes.c_int32 * num_tokens)(*([1] * num_tokens))
        status = llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(tokens, num_tokens))
        if status:
            raise SystemExit(f"llama_decode answered {status}")


if __name__ == "__main__":
    main()
