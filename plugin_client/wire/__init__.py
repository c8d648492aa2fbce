"""The protocol between clients and the daemon. PROTOCOL.md is the authority; nothing here needs more than msgpack."""
