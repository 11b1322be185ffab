"""What people use today, written as they would write it, against the same stub server."""
