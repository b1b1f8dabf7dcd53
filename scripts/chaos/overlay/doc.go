// Command overlay writes an overlay for "go build" with which a program's time of day can be stepped from outside, for chaos.
//
//	overlay FOLDER
//	go build -overlay FOLDER/overlay.json ...
//
// Go reads the clock without any library that could be replaced, so its package time is changed: Now adds what a file says, which
// the environment variable STEPPED_CLOCK names (package clock of chaos writes it), to the time of day, and nothing to the monotonic
// clock. Without the variable the program is what it was. The changed file is made of the installed Go's own; when that
// has not the one line that is looked for, the command fails.
package main
