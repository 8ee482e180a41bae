"""The campaign: what the page says of simulations, results, molecules and artifacts."""
