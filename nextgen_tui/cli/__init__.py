"""The command line around the commands: options, output, errors, exit codes."""
