"""The BuildInput: the input of a simulation, and the hash that identifies it."""

from mdfactory.campaign.build_input.model import BuildInput

__all__ = ["BuildInput"]
