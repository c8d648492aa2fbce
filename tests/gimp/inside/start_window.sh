#!/bin/sh
# Runs inside the root: a display, a session bus with accessibility, a GIMP with a window, and the module $1 beside it.
dbus-uuidgen >/etc/machine-id
[ -n "$DBUS_SESSION_BUS_ADDRESS" ] || exec dbus-run-session -- "$0" "$@"
export GTK_MODULES=gail:atk-bridge XDG_RUNTIME_DIR=/run
# A number that is free: abstract sockets are those of the whole machine, where another root may run the same.
Xvfb -displayfd 3 -screen 0 1280x900x24 -nolisten tcp 3>/run/display >/dev/null 2>&1 &
while ! [ -s /run/display ]; do sleep 0.1; done
DISPLAY=":$(cat /run/display)"
export DISPLAY
/usr/libexec/at-spi-bus-launcher --launch-immediately &
openbox >/dev/null 2>&1 &
cp "$PROJECT/tests/gimp/inside/two_layers.xcf" "$CASES_FOLDER/window.xcf"
probe="import sys; sys.path.insert(0, '$PROJECT'); from tests.gimp.inside.probe import serve; serve()"
"$GIMP" --no-splash --no-fonts "$CASES_FOLDER/window.xcf" --batch-interpreter python-fu-eval -b "$probe" \
  >"$CASES_FOLDER/gimp.log" 2>&1 &
cd "$PROJECT" && python3 -m "tests.gimp.inside.$1"
