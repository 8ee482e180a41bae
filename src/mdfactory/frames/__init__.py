"""Tables that analyses produce, as text and Arrow: pure, with no disk, network or clock."""
