"""Format results for people: wording, numbers, timeline, sprites, rows."""
