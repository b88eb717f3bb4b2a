"""Parley: a self-hosted chat for language models that run on your own machine."""
