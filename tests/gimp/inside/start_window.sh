#!/bin/sh
# Runs inside the root: a display, a session bus with accessibility, a GIMP with a window, and the script $1 beside it.
export DISPLAY=:77 GTK_MODULES=gail:atk-bridge XDG_RUNTIME_DIR=/run
Xvfb :77 -screen 0 1280x900x24 -nolisten tcp >/dev/null 2>&1 &
sleep 1
/usr/libexec/at-spi-bus-launcher --launch-immediately &
openbox &
gimp-3.0 --no-splash --no-fonts "$CASES_FOLDER/window.xcf" >"$CASES_FOLDER/gimp.log" 2>&1 &
python3 -c "import sys; sys.path.insert(0, '$PROJECT'); import runpy; runpy.run_module('tests.gimp.inside.$1', run_name='__main__')"
