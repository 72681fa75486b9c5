"""The API server: every call to it, how fast they are made, and what its answers mean."""
