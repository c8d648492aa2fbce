"""The editor's and the scripts' side of Kandinsky Blend: the wire protocol, the client and the command line."""
