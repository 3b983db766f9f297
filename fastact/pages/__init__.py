"""Web pages that work offline, each one file."""
