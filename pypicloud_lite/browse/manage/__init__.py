"""What administrators look at and change in pages: people, rules, the journal."""
