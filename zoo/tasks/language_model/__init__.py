"""Character models: the next character or byte of a text."""
