"""Whether everything is all right, in one verdict per service."""
