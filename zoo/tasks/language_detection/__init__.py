"""Language detection: which language a string is in."""
