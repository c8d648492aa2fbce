"""The protocol between clients and the daemon; PROTOCOL.md is the authority. Needs msgpack, and pyzmq for its keys."""
