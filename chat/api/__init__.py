"""The APIs that programs know: each a parse, an encode and one thin view over the same runs and events."""
