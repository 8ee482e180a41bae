"""Use-cases: one module per command, between folders on disk and a store. None of them prints."""
