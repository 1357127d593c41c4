"""The dialect of the devpi client, over the same services."""
