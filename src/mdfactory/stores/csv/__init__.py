"""The store in CSV files."""
