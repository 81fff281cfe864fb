"""The search for settings of members, within what lies before every test block."""
