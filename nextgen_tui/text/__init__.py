"""Text for people: figures, tables, and text from outside made safe to show."""
