"""How books were kept before they followed facts that change: for runs of then, used by nothing new."""
