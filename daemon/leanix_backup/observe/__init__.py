"""How the service is seen from outside: whether it lives.

Imports nothing, so that `health` can import the little that it needs.
"""
