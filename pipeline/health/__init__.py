"""Whether everything is alright, in one verdict per service."""
