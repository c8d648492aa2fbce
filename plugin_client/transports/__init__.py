"""Ways to carry messages to a daemon. base.py is the seam; zmq.py is used where pyzmq is, bridge.py where it is not."""
