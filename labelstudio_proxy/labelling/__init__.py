"""What a project consists of: tasks, labelling interfaces, items. Nothing here talks to a server."""
