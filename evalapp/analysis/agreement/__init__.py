"""How far reviewers agree, and how severe they are."""
