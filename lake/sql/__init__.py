"""Questions in SQL over what is published: read only, and never about anything but the tables of the lake."""
