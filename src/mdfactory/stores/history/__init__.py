"""The history of a store: what each operation changed, and how an operation is undone."""
