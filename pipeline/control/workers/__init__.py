"""The processes that do the work: started, watched, ended."""
