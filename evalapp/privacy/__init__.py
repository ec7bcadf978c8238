"""What is a person's data in a text: where they stand and of which type. Pure."""
