"""Text classification: which of several classes a text is of."""
