"""What is measured; each module has `run(bench)`, which adds figures."""
