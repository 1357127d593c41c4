"""What packages are, told to programs: the JSON API, feeds, statistics, and XML-RPC search."""
