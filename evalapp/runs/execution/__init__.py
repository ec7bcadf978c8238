"""One attempt of a run: started, followed, stored."""
