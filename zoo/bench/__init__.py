"""Speed, side by side: what is compared runs in turns, and medians are given with their spread."""
