"""Files that are to be here before anybody wants them: what a requirements file or a lock names."""
