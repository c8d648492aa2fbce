"""The GIMP 3 plug-in. Only plugin.py, pixels.py, insert.py and what they share with the dialog import gi."""
