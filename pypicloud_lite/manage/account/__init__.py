"""What people do with their own accounts: log in and out, ask for one, change the password, make tokens."""
