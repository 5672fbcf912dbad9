"""Language models: the next character, byte or word of a text."""
