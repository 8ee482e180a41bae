"""Use-cases: what a command does, from folders to store and back. They print nothing."""
