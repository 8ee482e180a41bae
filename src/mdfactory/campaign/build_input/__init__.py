"""The BuildInput: what a simulation is made of, and the hash that is its identity."""

from mdfactory.campaign.build_input.model import BuildInput

__all__ = ["BuildInput"]
