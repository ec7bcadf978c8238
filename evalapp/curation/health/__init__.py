"""What a data health check looks for, one module for each kind of finding. Nothing here writes."""
