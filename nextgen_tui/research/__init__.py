"""How the research bench is shown in a terminal."""
