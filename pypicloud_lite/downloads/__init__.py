"""How often files were downloaded: counted in memory, written down now and then, asked by page and API."""
