#!/bin/sh
# Runs inside the root: a display, a session bus with accessibility, a GIMP with a window, and the module $1 beside it.
dbus-uuidgen >/etc/machine-id
[ -n "$DBUS_SESSION_BUS_ADDRESS" ] || exec dbus-run-session -- "$0" "$@"
export DISPLAY=:77 GTK_MODULES=gail:atk-bridge XDG_RUNTIME_DIR=/run
Xvfb :77 -screen 0 1280x900x24 -nolisten tcp >/dev/null 2>&1 &
while ! xdotool getmouselocation >/dev/null 2>&1; do sleep 0.1; done
/usr/libexec/at-spi-bus-launcher --launch-immediately &
openbox >/dev/null 2>&1 &
cp "$PROJECT/tests/gimp/inside/two_layers.xcf" "$CASES_FOLDER/window.xcf"
probe="import sys; sys.path.insert(0, '$PROJECT'); from tests.gimp.inside.probe import serve; serve()"
"$GIMP" --no-splash --no-fonts "$CASES_FOLDER/window.xcf" --batch-interpreter python-fu-eval -b "$probe" \
  >"$CASES_FOLDER/gimp.log" 2>&1 &
cd "$PROJECT" && python3 -m "tests.gimp.inside.$1"
