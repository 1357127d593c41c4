"""What the devpi client speaks: its users, logins and indexes, over the services that every skin uses."""
