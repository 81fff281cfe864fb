"""What an operator already has: an older system's database or files, mapped, landed verbatim and judged."""
