"""Record tables and the rules for merging them: pure, with no disk, network or clock."""
