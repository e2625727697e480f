"""What projects consist of: tasks, labelling interfaces, items. Nothing here talks to a server."""
