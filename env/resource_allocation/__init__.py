"""The critics: the resource allocation behind a binary decision, and the kernels that find it."""
