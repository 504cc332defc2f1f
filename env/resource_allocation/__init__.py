"""The critics: resource allocation behind a binary decision, one problem a pair of files."""
