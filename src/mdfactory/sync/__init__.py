"""Use-cases: one module for each command. They read folders and stores, and print nothing."""
