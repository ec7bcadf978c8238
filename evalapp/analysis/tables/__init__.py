"""The tables of the pages, as they are copied and as a report prints them."""
