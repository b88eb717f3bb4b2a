"""Documents: reading them, cutting them into passages, and finding the ones that a question is about."""
