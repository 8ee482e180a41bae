"""Record tables and the rules for writing them: pure, without disk, network or clock."""
