"""Planning: from the columns of frames to what is drawn of them."""
