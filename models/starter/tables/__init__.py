"""The facts and word tables behind the skills, kept apart from the code that composes with them."""
