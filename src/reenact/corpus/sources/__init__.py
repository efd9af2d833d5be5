"""Where data comes from: folders, archives, object stores, DVC repositories; each ends as a folder on this disk."""
