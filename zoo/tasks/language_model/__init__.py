"""Text: the next character or byte."""
