"""What we derive: pure stages from table versions to a table version, in the order data flows."""
