"""The next character or byte of a text."""
