"""The store in datasets of Palantir Foundry."""
