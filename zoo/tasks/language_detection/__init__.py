"""Which language a string is in."""
