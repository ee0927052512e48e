"""Real servers for the end-to-end tests.

Everything runs in a sandbox: a folder of its own, private unix sockets, ports
chosen at run time. What a test starts, its sandbox stops by pid.
"""
