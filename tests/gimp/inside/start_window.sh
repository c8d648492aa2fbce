#!/bin/sh
# Runs inside the root: a display, a session bus with accessibility, and the module $1, which starts GIMP with a window.
dbus-uuidgen >/etc/machine-id
[ -n "$DBUS_SESSION_BUS_ADDRESS" ] || exec dbus-run-session -- "$0" "$@"
export GTK_MODULES=gail:atk-bridge XDG_RUNTIME_DIR=/run
# A number that is free: abstract sockets are those of the whole machine, where another root may run the same.
Xvfb -displayfd 3 -screen 0 "${SCREEN:-1280x720}x24" -nolisten tcp 3>/run/display >/dev/null 2>&1 &
while ! [ -s /run/display ]; do sleep 0.1; done
DISPLAY=":$(cat /run/display)"
export DISPLAY
/usr/libexec/at-spi-bus-launcher --launch-immediately &
(while :; do openbox; sleep 0.5; done) >/dev/null 2>&1 & # again if it comes too early
cp "$PROJECT/tests/gimp/inside/two_layers.xcf" "$CASES_FOLDER/window.xcf"
cd "$PROJECT" && python3 -m "tests.gimp.inside.$1"
