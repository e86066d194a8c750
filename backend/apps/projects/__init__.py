"""Projects, their workspaces, generations and archives."""
