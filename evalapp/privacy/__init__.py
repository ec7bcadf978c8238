"""Detects personal data in texts: its position and type. Pure."""
