"""SQL for the operator: asked in a process of its own, within seconds and memory."""
