"""Whether the operator's files are what they seem: asked before a lake is made of them."""
