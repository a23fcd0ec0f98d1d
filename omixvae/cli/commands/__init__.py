"""One file per command: parse, call the API, print."""
