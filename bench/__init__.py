"""Benchmarks: each prints a table and runs its peer, where there is one, in the same run."""
