"""Proposes factors by itself, tries each on sessions that did not choose it, and keeps what chance hardly gives."""
