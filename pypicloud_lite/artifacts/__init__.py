"""Reading wheels and sdists: their metadata and members, safely; nothing is ever unpacked."""
