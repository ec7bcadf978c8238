"""What automatic metrics are worth beside people, and what they find."""
