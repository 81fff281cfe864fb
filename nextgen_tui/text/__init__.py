"""Text for people: figures, tables, and text from outside made remove_unsafe."""
