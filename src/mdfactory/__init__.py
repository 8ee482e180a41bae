"""The registry of a lab's molecular-dynamics campaigns."""

__version__ = "0.1.0"
