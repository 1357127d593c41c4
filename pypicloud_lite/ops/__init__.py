"""What the commands and the background do: rebuild, settle, sweep."""
