"""The critics: resource allocation behind a binary decision, a pair of files per problem."""
