"""Sets the project up in a clone, with nothing but the standard library: `python3 install demo | test | lint`.

It must start under any Python 3.8 or newer, so that a wrong version is told in a sentence and not in a traceback.
"""
