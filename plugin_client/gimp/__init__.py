"""The GIMP 3 plug-in: the part of the editors' side that needs gi."""
