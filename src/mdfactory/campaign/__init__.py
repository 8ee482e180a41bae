"""Campaigns: folders of simulations on disk. This room knows no store."""
