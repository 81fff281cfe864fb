"""The one way to other machines: bounded in time and size, and never to an address nobody asked for."""
