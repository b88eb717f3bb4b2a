"""Inference: GGUF models on llama.cpp. Knows no Django, no HTTP and no database."""
