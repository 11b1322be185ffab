"""
The whole life of a connected account, on real parts: `python -m example_project.demo`.

`__main__` starts everything, takes the steps and prints the table. `browser` is a user at
a keyboard, `database` looks behind the pages, `steps` says what has to hold, `report` is
how it looks on the terminal.
"""
