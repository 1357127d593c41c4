"""The pages for people who would rather look than read: home, search, projects, their own account."""
