"""Conversations in one stored form, and the formats of other systems that are read into it. Pure."""
