"""Parley beside llama.cpp's own server: the same library, the same weights, the same client, in turns."""
