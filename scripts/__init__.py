"""What `make install` runs: standard library only, on the system's Python."""
