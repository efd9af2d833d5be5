"""What happens between a registered version and its users: gate, page, decisions."""
