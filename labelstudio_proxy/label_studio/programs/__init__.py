"""What runs inside Label Studio's own environment, or its container: it imports nothing of ours."""
