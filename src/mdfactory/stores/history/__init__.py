"""The history of a store: what an operation changed, and how it is undone."""
