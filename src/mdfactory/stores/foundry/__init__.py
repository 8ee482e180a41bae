"""The Foundry store: records in datasets of Palantir Foundry."""
