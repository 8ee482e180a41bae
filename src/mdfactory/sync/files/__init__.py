"""The files of artifacts: sent to a file store, fetched, checked and removed."""
