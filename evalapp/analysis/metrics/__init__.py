"""How well automatic metrics agree with people, and what they find."""
